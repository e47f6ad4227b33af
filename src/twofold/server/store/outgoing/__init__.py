"""What the registry sends to others: webhooks, and the queue and log of their deliveries."""

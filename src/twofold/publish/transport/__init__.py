"""HTTP requests to publish targets: connections, proxies, certificates, bodies and failures."""

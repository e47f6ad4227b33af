"""Who may do what: users, tokens, logins, permissions, trusted publishing and attestations."""

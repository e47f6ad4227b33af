"""How people sign in: sessions, second factors, identities at issuers, invitations."""

"""Signing in and out in a browser, and how: password, code, issuer, invitation.

forms           forms of pages: their body, their token, who sends them, redirects
sign_in         password and code; sign-out
second_factor   setting up an authenticator, recovery codes
invitation      taking an invitation, with an account or a new one
"""

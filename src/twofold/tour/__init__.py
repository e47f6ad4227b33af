"""The whole road on this machine: real commands, real clients, each step shown.

This room stands above the others: it runs `twofold` and the clients as a user would, as
processes, and looks only at what they print and leave behind.
"""

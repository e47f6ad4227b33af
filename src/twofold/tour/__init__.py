"""The tour: a project from start to installation on this machine, with real clients.

It runs `twofold` and the clients as processes, as a user would, and reads only their output and
files.
"""

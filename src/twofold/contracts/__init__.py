"""Contract suites for extensions: pytest classes that twofold's own targets and rules pass.

They need pytest, which the author of an extension has; twofold itself never imports them.
"""

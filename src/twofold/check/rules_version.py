"""The number of the rules' state: what another state of them left in the cache is not read."""

#: To be raised by whoever changes what a rule finds or what `facts` holds.
RULES_VERSION = 10

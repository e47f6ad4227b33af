"""Management in the browser: the calls of the management API as forms, their lists as tables.

fields      a call's parameters as fields of a form, and what was entered as parameters
acts        the form of any call that changes something
tables      the response of any call that lists something
sections    what is on which page
pages       the pages these are on: overview, a channel, users, the audit log
upload      files of both worlds from a browser
"""

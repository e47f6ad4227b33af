"""What people find: one row for each project, and a full-text index over these rows.

`listings` has the rows, `words` what text and queries become, `text_index` the index of either
database, `find` the search. All of it is written in the transaction of the change it follows from.
"""

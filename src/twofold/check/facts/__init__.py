"""What the rules know of each module: read from its text where that is plain, else from its tree.

`model` says what is known, `parse` reads it from the syntax tree, `quick` as far as a build needs
it from the text. `compiling` finds modules that are not valid Python, and `store` keeps what was
learnt by the content's hash.
"""

"""The registry's pages for people: HTML made on the server, readable without script.

`render.render` makes every page; `templates/components.html` has the parts all are made of.
"""

"""The registry: one address for pip and conda, on one store that loses nothing.

    web (one file per protocol) -> registry (the verbs) -> gates, access -> store (SQL, objects)

`app.create_app(settings)` puts it together; `serving.serve` runs it. web never imports store;
Starlette is known to web and app alone, SQLAlchemy to store alone.
"""

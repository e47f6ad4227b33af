"""The registry: one address for pip and conda, on one store that loses nothing.

    web (one file per protocol) -> registry, proxy -> admission, auth, pages -> store (SQL, objects)

`app.create_app(settings)` assembles it; `run.serve` runs it. web never imports store; only web and
app import Starlette, only store imports SQLAlchemy.
"""

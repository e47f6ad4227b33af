"""The tables of `store.schema` are those that the migrations make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert, inspect

from tests.servers.stores import PostgreSQL
from twofold.index import simple
from twofold.server.model import Page
from twofold.server.pages.page_updates import make_etag
from twofold.server.store import Database, pages
from twofold.server.store.revisions import MIGRATIONS
from twofold.server.store.schema import metadata


def describe_schema(database: Database) -> dict[str, Any]:
    """Every table with its columns, defaults, keys, constraints and indexes, in a fixed order."""
    inspector = inspect(database.engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            },
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "indexes": {
                index["name"]: (
                    index["column_names"],
                    bool(index["unique"]),
                    sorted((k, str(v)) for k, v in index.get("dialect_options", {}).items()),
                )
                for index in inspector.get_indexes(table)
            },
        }
        for table in inspector.get_table_names()
        # The full-text index is of each database's own kind, and the migration's alone.
        if table != "alembic_version" and not table.startswith("search_index")
    }


def check_schemas_agree(migrated: Database, created: Database) -> None:
    migrated.migrate()
    metadata.create_all(created.engine)
    found, expected = describe_schema(migrated), describe_schema(created)
    migrated.close()
    created.close()
    assert set(found) == set(expected) == set(metadata.tables)
    for table, description in expected.items():
        assert found[table] == description, table


def test_schema_and_migrations_agree_on_sqlite(tmp_path: Path) -> None:
    migrated = Database(f"sqlite:///{(tmp_path / 'migrated.sqlite').as_posix()}")
    created = Database(f"sqlite:///{(tmp_path / 'created.sqlite').as_posix()}")
    check_schemas_agree(migrated, created)


def test_the_comparison_notices_a_missing_index_and_another_default(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{(tmp_path / f'{n}.sqlite').as_posix()}") for n in range(2)]
    for database in databases:
        metadata.create_all(database.engine)
    before = describe_schema(databases[0])
    with databases[1].write() as connection:
        connection.exec_driver_sql("DROP INDEX ix_files_remark")
        connection.exec_driver_sql("ALTER TABLE users ADD COLUMN extra TEXT DEFAULT 'x'")
    after = describe_schema(databases[1])
    assert {table for table in before if before[table] != after[table]} == {"files", "users"}


@pytest.mark.slow
def test_schema_and_migrations_agree_on_postgresql(postgresql: PostgreSQL) -> None:
    migrated = Database(postgresql.empty_database())
    check_schemas_agree(migrated, Database(postgresql.empty_database()))


def test_stored_pages_lose_the_key_that_old_pips_fail_on(tmp_path: Path) -> None:
    """PEP 714: pages rendered by a version that wrote `dist-info-metadata` into the JSON."""
    database = Database(f"sqlite:///{(tmp_path / 'old.sqlite').as_posix()}")
    with database.serialized_write() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    entry = {"filename": "a.whl", "core-metadata": {"sha256": "1"}, "é": "é"}
    old = {"files": [{**entry, "dist-info-metadata": {"sha256": "1"}}], "name": "a"}
    moment = "2026-01-01T00:00:00.000000Z"
    with database.write() as db:
        db.execute(insert(metadata.tables["users"]).values(id=1, name="o", created_at=moment))
        channel = {"id": 1, "name": "main", "owner_id": 1, "public": True, "created_at": moment}
        db.execute(insert(metadata.tables["channels"]).values(**channel))
        for key in ("simple/main/json/a", "simple/pre/json/a"):
            pages.save_page(db, 1, key, Page(json.dumps(old).encode(), '"old"', 1))
        pages.save_page(db, 1, "simple/main/html/a", Page(b"html", '"html"', 1))
    database.migrate()
    with database.read() as db:
        for key in ("simple/main/json/a", "simple/pre/json/a"):
            page = pages.find_page(db, 1, key)
            assert page is not None
            assert page.body == simple.serialize({"files": [entry], "name": "a"})
            assert page.etag == make_etag(page.body)
        html = pages.find_page(db, 1, "simple/main/html/a")
        assert html is not None and html.body == b"html"
    database.close()

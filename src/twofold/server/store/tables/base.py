"""What all tables are made with: their metadata, row ids and references."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite has 64-bit row ids only for columns of type INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


def make_id() -> Column[int]:
    """Return the column of a row id."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def make_foreign_key(column: str, target: str, **options: object) -> Column[int]:
    """Return a column that refers to a row of another table."""
    return Column(column, Id, ForeignKey(target), **options)  # type: ignore[arg-type]

"""Faults: mutated uploads, a full disk, stores that go away and return, damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.conftest import Place, new_place, serve
from tests.server.packages import make_conda, make_sdist, make_wheel
from tests.server.stores import S3, PostgreSQL
from twofold.errors import Refused, TwofoldError
from twofold.server.registry import upkeep
from twofold.server.settings import Settings


@given(data=st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_mutated_file_is_taken_or_refused_but_never_breaks_the_registry(
    place: Place, tmp_path: Path, data: st.DataObject
) -> None:
    made = data.draw(st.sampled_from([make_wheel, make_sdist, make_conda]))
    path = made(tmp_path / "in")
    body = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        piece = data.draw(st.binary(max_size=8))
        body[at : at + data.draw(st.integers(0, 8))] = piece
    path.write_bytes(bytes(body))
    try:
        place.publish(path)
    except Refused as refusal:
        assert 400 <= refusal.status < 500
    assert upkeep.verify(place.registry).is_sound


def test_a_database_that_is_away_is_told_and_its_return_is_enough(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    """All connections are cut, and new ones refused for a while."""
    from sqlalchemy import create_engine, make_url, text

    url = make_url(postgresql.new_database())
    place = new_place(Settings(tmp_path / "r", url.render_as_string(hide_password=False)))
    engine = create_engine(
        make_url(postgresql.url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )

    def allow(word: str) -> None:
        with engine.connect() as db:
            db.execute(text(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {word}"))
            where = "WHERE datname = :name AND pid <> pg_backend_pid()"
            query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity {where}"
            db.execute(text(query), {"name": url.database})

    wheel = make_wheel(tmp_path)
    with serve(place):
        allow("false")
        answer = place.upload(wheel)
        assert answer.status_code == 503
        assert "database does not answer" in answer.reason
        assert place.get("/readyz").status_code == 503
        allow("true")
        assert place.upload(wheel).status_code == 200
        assert place.get("/readyz").status_code == 200
    engine.dispose()
    place.registry.database.close()


def test_objects_that_are_away_are_told_and_nothing_is_shown(tmp_path: Path, s3: S3) -> None:
    place = new_place(Settings(tmp_path / "r", objects=s3.new_bucket()))
    away = Settings(
        tmp_path / "r",
        objects="s3://nowhere/x?endpoint=http://127.0.0.1:9&region=us-east-1",
    )
    from twofold.server.app import open_registry

    broken = Place(open_registry(away), away, place.token, place.owner)
    wheel = make_wheel(tmp_path)
    with pytest.raises(TwofoldError, match="object store"):
        broken.publish(wheel)
    assert upkeep.verify(place.registry).checked == 0
    assert place.publish(wheel).is_new

"""A PostgreSQL database of an older layout: read as it is, and upgraded by what writes to it only."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import Engine

from decaybench.errors import UserError
from decaybench.store import VERSION, load_frames, open_storage
from decaybench.store import open as opening
from decaybench.store.schema import VERSIONS
from old_layouts import assert_read, lacks

OLDER = (
    "ALTER TABLE runs ADD CONSTRAINT outcome_known CHECK (outcome IN ('finished', 'diverged', 'failed'))",
    "ALTER TABLE runs ADD CONSTRAINT search_reads_no_test"
    " CHECK (phase <> 'search' OR (test_loss IS NULL AND test_accuracy IS NULL))",
    "ALTER TABLE sweeps ADD CONSTRAINT status_known CHECK (status IN ('pending', 'running', 'complete'))",
    "DROP TABLE looks",
    "DROP TABLE stacks",
    "DROP TABLE attempts",
    "DROP TABLE checkpoints",
    "DROP TABLE workers",
)
"""What layouts 1 and 2 had on a server, and lacked."""


def aged(url: str, layout: int) -> None:
    """A PostgreSQL database as the layout left it."""
    with open_storage(url, create=True) as storage, storage.write() as connection:
        for statement in OLDER:
            connection.execute(text(statement))
        for name in lacks(layout):
            connection.execute(text(f"ALTER TABLE runs DROP COLUMN {name}"))
        connection.execute(text(f"UPDATE decaybench_version SET version = {layout}"))
        values = "'sweep', 'old', '', '{}', '', 'running', now(), '{}'"
        connection.execute(text(f"INSERT INTO sweeps VALUES ({values})"))
        columns = "id, sweep_id, phase, strategy, repeat, slot, length, seed"
        row = "'a', 'sweep', 'search', 'constant', 0, 0, 1.0, 7"
        connection.execute(text(f"INSERT INTO runs ({columns}) VALUES ({row})"))
        connection.execute(text("INSERT INTO epochs VALUES ('a', 1, 0.5, 0.5, 0.5, 0.5, 0.5)"))
        connection.execute(text("INSERT INTO traces VALUES ('a', '1234')"))


@pytest.fixture
def old_server(postgres_url: str) -> Iterator[Engine]:
    """A PostgreSQL database as layout 1 left it, by its owner's engine."""
    aged(postgres_url, 1)
    owner = create_engine(postgres_url)
    yield owner
    owner.dispose()


def constraints(engine: Engine) -> set[tuple[str, str, str]]:
    query = "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    with engine.connect() as connection:
        rows = connection.execute(text(f"{query} WHERE connamespace = 'public'::regnamespace"))
        return {(table, name, what) for table, name, what in rows}


@pytest.mark.parametrize("layout", [1, 2])
def test_an_upgraded_server_has_the_rows_that_it_had_and_the_tables_of_a_new_one(
    postgres_url: str, layout: int
) -> None:
    engine = create_engine(postgres_url)
    open_storage(postgres_url, create=True).engine.dispose()
    new = constraints(engine)
    aged(postgres_url, layout)
    assert {name for _, name, _ in constraints(engine) - new} == {
        "outcome_known",
        "search_reads_no_test",
        "status_known",
    }
    with open_storage(postgres_url, create=True) as storage:
        frames = load_frames(storage, "old")
        assert (list(frames.runs["id"]), len(frames.epochs), len(frames.traces)) == (["a"], 1, 1)
        with storage.write() as connection:
            connection.execute(text("UPDATE runs SET test_accuracy = 0.5"))
    assert constraints(engine) == new
    engine.dispose()


def url_of(engine: Engine, **changes: str) -> str:
    return engine.url.set(**changes).render_as_string(hide_password=False)


def test_a_server_is_read_as_it_is_and_upgraded_by_a_writer(old_server: Engine) -> None:
    for create in (False, True):
        with open_storage(url_of(old_server), create=create) as storage:
            assert_read(storage)
        with old_server.connect() as connection:
            assert connection.execute(select(VERSIONS.c.version)).all() == [(VERSION if create else 1,)]


def test_who_does_not_own_a_servers_tables_is_told_so(old_server: Engine) -> None:
    with old_server.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS decaybench_guest"))
        connection.execute(text("CREATE ROLE decaybench_guest LOGIN PASSWORD 'secret'"))
        connection.execute(text("GRANT ALL ON SCHEMA public TO decaybench_guest"))
        connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO decaybench_guest"))
    guest = url_of(old_server, username="decaybench_guest", password="secret")
    with open_storage(guest, create=False) as storage:
        assert_read(storage)
    with pytest.raises(UserError, match="must be owner of table runs") as caught:
        open_storage(guest, create=True)
    assert "secret" not in str(caught.value)
    with old_server.begin() as connection:
        connection.execute(text("DROP OWNED BY decaybench_guest"))
        connection.execute(text("DROP ROLE decaybench_guest"))


def test_a_busy_servers_readers_do_not_wait_long(old_server: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_POSTGRES_WAIT_S", 0.1)
    with old_server.begin() as reading:
        reading.execute(text("SELECT * FROM runs"))
        with pytest.raises(UserError, match="lock timeout"):
            open_storage(url_of(old_server), create=True)
    with old_server.connect() as connection:
        assert connection.execute(select(VERSIONS.c.version)).all() == [(1,)]

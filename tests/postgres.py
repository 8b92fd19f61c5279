"""A PostgreSQL server to throw away: what the tests of a database on a server run on."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL


def programs() -> Path | None:
    """The folder of initdb and pg_ctl: on the path, or the newest that Debian keeps aside."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), default=None)


@contextmanager
def server() -> Iterator[URL]:
    """The URL of a server on this machine, by a superuser with a password; it runs until the block is left.

    The server refuses to be root's, so root gives it to the user postgres. Nothing of it need outlive a crash.
    """
    found = programs()
    assert found is not None
    home = Path(tempfile.mkdtemp(prefix="decaybench-postgres-"))  # tmp_path is closed to other users
    try:
        (home / "password").write_text(password := secrets.token_hex())
        as_user: list[str] = []
        if os.geteuid() == 0:
            as_user, owner = ["runuser", "-u", "postgres", "--"], pwd.getpwnam("postgres")
            for path in (home, home / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def run(program: str, *arguments: str) -> None:
            command = [*as_user, str(found / program), "-D", str(home / "data"), *arguments]
            subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=home, stdin=subprocess.DEVNULL)

        run(
            "initdb",
            "-U",
            "owner",
            "-A",
            "scram-sha-256",
            f"--pwfile={home}/password",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        )
        settings = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
        # Its output goes to a file: a pipe would be held open by the server.
        run("pg_ctl", "-w", "-l", str(home / "log"), "-o", settings, "start")
        try:
            yield URL.create("postgresql+psycopg", "owner", password, "127.0.0.1", port, "postgres")
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


def interruption(url: URL) -> tuple[Callable[[], None], Callable[[], None]]:
    """What ends the server at once, as a crash would, and what starts it again as it was."""
    with _engine(url) as engine, engine.connect() as connection:
        data = Path(str(connection.exec_driver_sql("SHOW data_directory").scalar_one()))
    found = programs()
    assert found is not None
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    _, _, options = (data / "postmaster.opts").read_text().replace('"', "").strip().partition(f" -D {data} ")

    def run(*arguments: str) -> None:
        command = [*as_user, str(found / "pg_ctl"), "-w", "-D", str(data), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=data.parent, stdin=subprocess.DEVNULL)

    return (
        lambda: run("-m", "immediate", "stop"),
        lambda: run("-l", str(data.parent / "log"), "-o", options, "start"),
    )


def empty(url: URL) -> None:
    """Leave nothing in the database but an empty schema public, and nobody else connected to it."""
    with _engine(url) as engine, engine.begin() as connection:
        run = connection.exec_driver_sql
        run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        for schema in (
            run("SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'")
            .scalars()
            .all()
        ):
            run(f"DROP SCHEMA {schema} CASCADE")
        run("CREATE SCHEMA public")


def execute(url: str | URL, *statements: str) -> None:
    """Run statements as another program would."""
    with _engine(url) as engine, engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def everything(url: str) -> list[tuple[object, ...]]:
    """What the database holds: every relation and type outside the system's schemas, and how many rows each table has."""
    with _engine(url) as engine, engine.connect() as connection:
        of = (
            "FROM pg_namespace n WHERE n.oid = {} AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        )
        relations = connection.exec_driver_sql(
            f"SELECT c.relname, c.relkind, c.relnatts, (SELECT n.nspname {of.format('c.relnamespace')}) FROM pg_class c "
            f"WHERE EXISTS (SELECT 1 {of.format('c.relnamespace')}) ORDER BY 1, 4"
        ).all()
        found = [tuple(row) for row in relations]
        for name, kind, _, schema in relations:
            if kind == "r":
                found.append((name, connection.exec_driver_sql(f'SELECT count(*) FROM "{schema}"."{name}"').scalar()))
    return found


@contextmanager
def _engine(url: str | URL) -> Iterator[Engine]:
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()

"""Whatever a URL's password is made of, nothing that anybody reads holds any of it."""

import contextlib
import io
from typing import Any
from urllib.parse import quote

import optuna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

import decaybench
import postgres
from decaybench.cli import main
from decaybench.errors import UserError
from decaybench.store import find_storage, open_storage

# Letters that no message of ours, the driver's or the command line's has, and what URLs and shells make something of.
LETTERS = "ZJX√я漢"
passwords = st.text(alphabet=LETTERS + "@:/#?%&=+ '\"[]{}\\;,~!$.", min_size=1, max_size=12).filter(
    set(LETTERS).intersection
)

FORMS = {
    "as it is": lambda password: f"postgresql://me:{password}@127.0.0.1:1/db",
    "encoded": lambda password: f"postgresql://me:{quote(password, safe='', errors='replace')}@127.0.0.1:1/db",
    "without a user": lambda password: f"postgresql://:{password}@127.0.0.1:1/db",
    "a slash for the colon": lambda password: f"postgresql://me/{password}@127.0.0.1:1/db",
    "an option": lambda password: f"postgresql://me@127.0.0.1:1/db?password={password}",
    "an option without a user": lambda password: f"postgresql://127.0.0.1:1/db?password={password}",
    "an option without a database": lambda password: f"postgresql://127.0.0.1:1?password={password}",
    "no host": lambda password: f"postgresql://me:{password}@/db?host=127.0.0.1&port=1",
    "another driver": lambda password: f"mysql+pymysql://me:{password}@127.0.0.1/db",
    "a slash too few": lambda password: f"postgresql:/me:{password}@127.0.0.1:1/db",
    "no slashes": lambda password: f"postgresql:me:{password}@127.0.0.1:1/db",
    "no scheme": lambda password: f"me:{password}@127.0.0.1:1/db",
    "the driver's own words": lambda password: f"host=127.0.0.1 port=1 user=me password={password}",
    "a file's": lambda password: f"sqlite://me:{password}@127.0.0.1/x.db",
}  # fmt: skip


def letters(text: str) -> set[str]:
    """Which of a password's letters stand there, also percent-encoded."""
    return {letter for letter in LETTERS if letter in text or (quote(letter) != letter and quote(letter) in text)}


def told(error: BaseException | None) -> str:
    """All that a traceback says beside its frames."""
    if error is None:
        return ""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{error}\n{told(before)}"


@settings(deadline=None, max_examples=40)
@given(password=passwords)
@example(password="Z@JXZJ@XZJ")
@example(password="ZJX?JXZ=X")
@example(password="ZJX/JXZ?X@ZZ")
@example(password="ZJX&JXZ=XZ")
@example(password="ZJX&JXZ")
@example(password="Z%ZJ%00JX")
@example(password="Z\udc80JX")
@pytest.mark.parametrize("form", FORMS)
def test_no_message_holds_any_of_it(form: str, password: str) -> None:
    url = FORMS[form](password)
    for open_it in (lambda: open_storage(url, create=True), lambda: find_storage(url)):
        with pytest.raises(UserError) as caught:
            open_it()
        assert not letters(told(caught.value))
        assert "\n" not in str(caught.value)


def printed(*arguments: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as end, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        main(arguments)
    assert (end.value.code, out.getvalue()) == (2, "")
    assert err.getvalue().startswith("error: ") and err.getvalue().count("\n") == 1
    return err.getvalue()


@settings(deadline=None, max_examples=10)
@given(password=passwords)
@example(password="Z@JXZJ@XZJ")
@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--storage"],
        ["status"],
        ["run"],
        ["run", "quickstart"],
        ["run", "quickstart", "--storge"],
        ["run", "quickstart", "--studies"],
        ["status", "--", "--storage"],
        ["status", "x", "--", "--storage"],
        ["status", "--storage", "--storage"],
        ["status", "--storage", "--"],
        ["status", "--storage=x", "--", "--storage"],
        ["run", "quickstart", "--studies", "--storage"],
        ["verify", "--storage", "--storage"],
        ["check", "quickstart", "--storage"],
        ["verify"],
        ["export", "x", "--storage=", "--out"],
    ],
)
def test_the_command_line_prints_none_of_it_wherever_it_stands(arguments: list[str], password: str) -> None:
    assert not letters(printed(*arguments, FORMS["as it is"](password)))


def test_python_says_none_of_it_where_a_sweep_belongs() -> None:
    with pytest.raises(UserError, match="SWEEP is a URL") as caught:
        decaybench.run("postgresql://me:secret@127.0.0.1:1/db")
    assert "secret" not in told(caught.value)


def test_who_did_not_encode_it_is_told_how() -> None:
    line = printed("status", "--storage", "postgresql://me:p@ss@w0rd@127.0.0.1:1/db")
    assert "w0rd" not in line and "ss@" not in line
    assert "write @ as %40" in line


def test_a_nul_would_end_the_url_for_the_driver() -> None:
    # and the server at the default port would be asked instead
    line = printed("status", "--storage", "postgresql://me:secret%00@127.0.0.1:1/db")
    assert "has a NUL; leave it out" in line and "%40" not in line


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://me:secret@127.0.0.1:123456/db", "has a port that is not in 1 .. 65535; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE\n"),
        ("postgresql://me:12345678/db", "has a port that is not in 1 .. 65535"),  # the host was forgotten
        ("postgresql://me:secret@127.0.0.1:1/db?sslmode", "has an option without a value"),
        ("postgresql://me:secret@127.0.0.1:1/db?", "has an option without a value"),
        ("postgresql://me:secret@127.0.0.1:1/db?passwrod=x", "an option or a character that PostgreSQL's driver does not accept"),
        ("postgresql://me:secret@127.0.0.1:1/db?plugin=x", "an option or a character that PostgreSQL's driver does not accept"),
        ("postgresql://me:secret@127.0.0.1:1/db?connect_timeout=soon", "an option or a character that PostgreSQL's driver does not accept"),
        ("postgresql://me:secret@127.0.0.1:1/db?sslmode=sometimes", "invalid sslmode"),
    ],
)  # fmt: skip
def test_what_else_is_wrong_with_a_servers_url(url: str, says: str) -> None:
    line = printed("status", "--storage", url)
    assert says in line and "secret" not in line and "12345678" not in line


def test_behind_a_flag_the_url_stands_in_its_place() -> None:
    line = printed("status", "--json", "x", "--storage", "postgresql://me:secret@127.0.0.1:1/db")
    assert "postgresql://127.0.0.1:1/db" in line


@pytest.mark.parametrize("password", ["1", "0.0", "127", "connection", "db"])
def test_a_password_that_stands_in_the_message_anyway_is_not_told_by_stars(password: str) -> None:
    lines = {
        printed("status", "--storage", f"postgresql://me:{given}@127.0.0.1:1/db") for given in (password, "secret")
    }
    assert len(lines) == 1 and "***" not in lines.pop()


def test_what_a_server_says_while_it_is_reached_is_not_blamed_on_the_url(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: object, connection: Any) -> None:
        connection.exec_driver_sql("SELECT * FROM hidden")

    monkeypatch.setattr(PGDialect_psycopg, "initialize", refuses)
    assert 'relation "hidden" does not exist' in printed("status", "--storage", postgres_url)


def test_an_odd_password_opens_the_database(postgres_url: str) -> None:
    password = "p@s:s/w#o?r%d&{x}=漢 +'"
    name = make_url(postgres_url).database
    postgres.execute(
        postgres_url,
        "DROP ROLE IF EXISTS odd",
        f"CREATE ROLE odd LOGIN PASSWORD '{password.replace(chr(39), chr(39) * 2).replace('%', '%%')}'",
        "GRANT ALL ON SCHEMA public TO odd",
    )
    plain = make_url(postgres_url).set(username="odd", password=None)
    at = plain.render_as_string().partition("@")[2]
    for url in (
        f"postgresql://odd:{quote(password, safe='')}@{at}",
        f"postgresql://odd@{at}?password={quote(password, safe='')}",
    ):
        with open_storage(url, create=True) as storage:
            theirs = optuna.storages.RDBStorage(storage.url)
            theirs.remove_session()
            theirs.engine.dispose()
            assert repr(storage) == f"Storage(postgresql://{at})"
    for wrong in (f"postgresql://odd:ZJX@{at}", f"postgresql://odd@{at}?password=ZJX"):
        line = printed("status", "--storage", wrong)
        assert "password authentication failed" in line and name in line and not letters(line)
    postgres.execute(postgres_url, "DROP OWNED BY odd", "DROP ROLE odd")

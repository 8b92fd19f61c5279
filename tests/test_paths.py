"""``~`` is the home folder wherever a person gives a path, whether a shell has seen it or not."""

import os
import pwd
from pathlib import Path

import pytest

import decaybench
from decaybench import api, store
from decaybench.cli import completion, main
from decaybench.data.cache import cache_folder
from decaybench.errors import UserError
from decaybench.paths import expanded, typed
from small_sweep import SMALL

TINY = (
    SMALL.replace("epochs = 3", "epochs = 1").replace("trials = 4", "trials = 1").replace("repeats = 2", "repeats = 1")
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder; the working directory is another one, which must stay empty."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("DECAYBENCH_STORAGE", "DECAYBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert os.listdir(tmp_path / "work") == []


def ends(code: int, *arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == code


def test_what_is_expanded(home):
    me = pwd.getpwuid(os.getuid())
    assert expanded("~", "x") == home and expanded("~/a/b", "x") == home / "a" / "b"
    assert expanded(Path("~/a"), "x") == home / "a"
    assert expanded(f"~{me.pw_name}/a", "x") == Path(me.pw_dir) / "a"
    for kept in ("a/~", "./~", "./~/a", "/~/a", "", "a~", Path("a/~")):
        assert expanded(kept, "x") == Path(kept)


def test_an_unknown_home_is_a_line(home, monkeypatch):
    with pytest.raises(
        UserError,
        match=r"^--out: the home folder ~nobody-such is not known \(write \./~nobody-such .*got '~nobody-such/a'$",
    ):
        expanded("~nobody-such/a", "--out")
    monkeypatch.delenv("HOME")
    assert expanded("~", "x") == Path(pwd.getpwuid(os.getuid()).pw_dir)

    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)  # a container's user of no name
    with pytest.raises(UserError, match="the home folder ~ is not known"):
        expanded("~/a", "x")


def test_every_path_of_python_and_of_the_commands(home, capsys):
    (home / "s.toml").write_text(TINY)
    url = "sqlite:///~/db/x.db"
    done = decaybench.run(Path("~/s.toml"), storage=url, studies=Path("~/st"), data="~/images")
    assert done.trained and done.report == home / "st" / "small" / "report" / "index.html"
    assert (home / "db" / "x.db").exists() and len(decaybench.load(url, "small").runs)
    ends(0, "report", "small", "--storage", url, "--out", "~/again")
    assert (home / "again" / "index.html").exists()
    ends(0, "export", "small", "--storage", url, "--out", "~/winner.py")
    assert (home / "winner.py").exists()
    ends(0, "status", "--storage", url)
    ends(0, "schedules", "cosine", "--plot", "~/cosine.svg")
    assert (home / "cosine.svg").exists()
    (home / "mine.toml").write_text(TINY.replace('"digits"', '"mine"').replace('"small"', '"mine"'))
    capsys.readouterr()
    for arguments in (["run", "~/mine.toml", "--storage", url], ["check", "~/mine.toml"]):
        ends(2, *arguments, "--data", "~/images")
        assert f"got '{home}/images'" in capsys.readouterr().err


def test_a_folder_of_that_name_can_be_said(home, monkeypatch, capsys):
    monkeypatch.chdir(home)
    Path("./~").resolve().mkdir()
    (home / "~" / "s.toml").write_text(TINY)
    ends(2, "run", "./~/s.toml", "--storage", "sqlite:///./~/x.db", "--studies", "./~/s.toml")
    assert "s.toml" in capsys.readouterr().err
    store.open_storage("sqlite:///./~/x.db", create=True).engine.dispose()
    assert sorted(os.listdir(home / "~")) == ["s.toml", "x.db"]
    ends(0, "schedules", "cosine", "--plot", "./~/cosine.svg")
    assert (home / "~" / "cosine.svg").exists()
    assert capsys.readouterr().out == "cosine: ./~/cosine.svg\n"  # as it can be typed again


def test_what_is_printed_is_taken_for_the_same_file(home):
    for path in (Path("./~/a"), Path("~a"), Path("a/~"), home / "~"):
        assert expanded(typed(path), "x") == path


def test_the_environments(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "~/.elsewhere")
    assert cache_folder() == home / ".elsewhere" / "decaybench"
    monkeypatch.setenv("DECAYBENCH_DATA", "~/images")
    assert api.data_root(None) == home / "images"
    monkeypatch.setenv("DECAYBENCH_STORAGE", "sqlite:///~/x.db")
    with store.open_storage(store.storage_url(None), create=True) as opened:
        assert opened.file == home / "x.db"
    with pytest.raises(UserError, match="no sweep"):
        decaybench.load(None, "x")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "~nobody-such/s.toml"], "SWEEP"),
        (["run", "quickstart", "--storage", "sqlite:///~nobody-such/x.db"], "storage"),
        (["run", "quickstart", "--studies", "~nobody-such"], "--studies"),
        (["run", "quickstart", "--data", "~nobody-such"], "--data"),
        (["check", "quickstart", "--data", "~nobody-such"], "--data"),
        (["status", "--storage", "sqlite:///~nobody-such/x.db"], "storage"),
        (
            ["status", "--storage", "postgresql://me@127.0.0.1:1/db?passfile=~nobody-such/x"],
            "storage postgresql://...: passfile",
        ),
        (["verify", "~nobody-such"], "DIR"),
        (["report", "x", "--out", "~nobody-such"], "--out"),
        (["export", "x", "--out", "~nobody-such/x.py"], "--out"),
        (["schedules", "--plot", "~nobody-such/x.svg"], "--plot"),
        (["dashboard", "--storage", "sqlite:///~nobody-such/x.db"], "storage"),
    ],
)
def test_an_unknown_home_in_every_command(home, capsys, arguments, named):
    ends(2, *arguments)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {named}: the home folder ~nobody-such is not known")
    assert err.count("\n") == 1


@pytest.mark.parametrize("variable", ["DECAYBENCH_DATA", "XDG_CACHE_HOME"])
def test_an_unknown_home_in_the_environment(home, capsys, monkeypatch, variable):
    monkeypatch.setenv(variable, "~nobody-such")
    (home / "s.toml").write_text(TINY)
    if variable == "DECAYBENCH_DATA":
        ends(2, "check", "~/s.toml")
        assert capsys.readouterr().err.startswith("error: DECAYBENCH_DATA: the home folder ~nobody-such is not known")
    with pytest.raises(UserError, match=f"^{variable}: the home folder ~nobody-such is not known"):
        cache_folder() if variable == "XDG_CACHE_HOME" else api.data_root(None)


def test_completion(home):
    (home / "mine.toml").touch()
    assert completion.sweeps("~/mi") == ["~/mine.toml"]
    assert completion.sweeps("~nobody-such/mi") == []


def test_options_of_a_servers_url_that_are_paths(home):
    parsed = store.absolute("postgresql://me:~pw@/db?host=~/socket&passfile=~/.pgpass&application_name=~")
    assert f"host={str(home).replace('/', '%2F')}%2Fsocket" in parsed
    assert f"passfile={str(home).replace('/', '%2F')}%2F.pgpass" in parsed
    assert "me:~pw@" in parsed and "application_name=~" in parsed

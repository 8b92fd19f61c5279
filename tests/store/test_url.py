"""What names a database: text, and no other thing that Python has."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

import decaybench
from decaybench import api
from decaybench.errors import UserError
from small_sweep import SMALL


@pytest.mark.parametrize("storage", [Path("x.db"), make_url("sqlite:///x.db"), b"sqlite:///x.db", 3])
@pytest.mark.parametrize(
    "call",
    [
        lambda storage: decaybench.load(storage, "small"),
        lambda storage: decaybench.run("s.toml", storage=storage),
        lambda storage: api.report("small", storage=storage),
        lambda storage: api.export("small", storage=storage),
    ],
)
def test_a_storage_that_is_not_text_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[object], object], storage: object
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(SMALL)
    with pytest.raises(UserError, match=rf"^storage must be a str, sqlite:///PATH .*got a {type(storage).__name__}$"):
        call(storage)
    assert [path.name for path in tmp_path.iterdir()] == ["s.toml"]

"""``decaybench schedules``: a kind in full, its sketch, its picture, and the same as JSON."""

import dataclasses
import io
import json
import sys
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path

import pytest

from decaybench.cli import main, schedules
from decaybench.cli.schedules_sketch import HEIGHT, sketch
from decaybench.errors import UserError
from decaybench.schedules import SCHEDULES, Fixed, number, registry
from decaybench.sweep import Sweep


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["schedules", *arguments])
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return run


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("cosine", ["Observes: only the time", "the scale in an example run of 200 updates", "floor = 0.01"]),
        ("time_based", ["Pitfalls: Keras", "Source: Keras", "decay = 0.0354 per update", "log 0.05 to 1000 1/run"]),
        ("bold_driver", ["example training", "base learning rate 0.5, up = 1.06, down = 0.6", "(set by `signal`)"]),
        ("hypergradient", ["the update's loss and g_t . u_(t-1)", "u_t is what the learning rate multiplies"]),
        ("polyak", ["the update's loss and |g_t|^2 (g_t is the gradient of update t)"]),
    ],
)
def test_a_kind_in_full(call, kind, says):
    code, out, _ = call(kind)
    assert code == 0
    assert all(words in out for words in says), out
    *_, axis, labels = out.splitlines()
    assert axis.strip() == "└" + "─" * 60
    assert labels.split() == ["0", "update", "200"]


def test_the_sketch_fits_a_narrow_terminal(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    _, out, _ = call("cosine")
    assert out.splitlines()[-2].strip() == "└" + "─" * 38
    assert max(map(len, out.splitlines())) <= 50


@pytest.mark.parametrize(("encoding", "drawn"), [("ascii", "+-----"), ("utf-8", "└─────")])
def test_a_pipe_that_takes_no_more_than_its_encoding(call, monkeypatch, encoding, drawn):
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe, encoding, "strict"))
    assert call("step_decay")[0] == 0
    sys.stdout.flush()
    assert drawn in pipe.getvalue().decode(encoding)


def test_docstrings_print_everywhere():
    assert all(schedules.describe(cls)["doc"].isascii() for cls in SCHEDULES.values())


def rows(values: list[float]) -> tuple[list[str], list[str]]:
    """A sketch in ASCII, 24 wide: what is drawn in each row, and what is written beside it."""
    lines = sketch(values, width=24, ascii_only=True)
    drawn = [line.replace("+", "|").split("|") for line in lines[:HEIGHT]]
    assert lines[HEIGHT].endswith(" +" + "-" * 24)
    assert lines[HEIGHT + 1].endswith("  0" + "update".center(20) + str(len(values)))
    return [row for _, row in drawn], [name.strip() for name, _ in drawn]


def test_a_sketch_of_a_constant():
    assert rows([1.0] * 200) == (["*" * 24] + [""] * 11, ["1"] + [""] * 10 + ["0"])


def test_a_sketch_of_a_line_goes_from_corner_to_corner():
    drawn, names = rows([1.0 - t / 200 for t in range(200)])
    assert names == ["1"] + [""] * 10 + ["0.005"]
    assert drawn[0].startswith("**") and len(drawn[-1]) == 24
    for above, below in pairwise(drawn):
        assert 0 <= len(above) - (len(below) - len(below.lstrip())) <= 1  # each row goes on where the last one ended


def test_a_sketch_has_no_holes_where_the_curve_jumps_and_names_the_least():
    drawn, names = rows([1.0] * 100 + [0.25] * 100)
    assert drawn == ["*" * 13] + [" " * 12 + "*"] * 8 + [" " * 12 + "*" * 12] + [""] * 2
    assert names == ["1"] + [""] * 8 + ["0.25", "", "0"]


def test_a_sketch_of_nothing_but_zeros():
    assert rows([0.0] * 200) == ([""] * 11 + ["*" * 24], [""] * 11 + ["0"])


def test_a_sketch_in_braille_has_two_by_four_dots_a_character():
    drawn = [line[3:] for line in sketch([0.0] * 20 + [1.0] * 20, width=20, ascii_only=False)[:HEIGHT]]
    assert drawn[0] == " " * 10 + "⡏" + "⠉" * 9
    assert drawn[1:-1] == [" " * 10 + "⡇"] * 10
    assert drawn[-1] == "⣀" * 10 + "⡇"


@pytest.mark.parametrize(
    ("kind", "suffix", "begins"),
    [("exp_loss", "svg", b"<svg "), ("linear", "PNG", b"\x89PNG"), ("linear", "pdf", b"%PDF"), (None, "svg", b"<svg ")],
)
def test_a_picture_of_one_or_all_always_the_same(call, kind, suffix, begins):
    arguments = [*([kind] if kind else []), "--plot", f"curve.{suffix}"]
    assert call(*arguments) == (0, f"{kind or 'schedules'}: curve.{suffix}\n", "")
    first = Path(f"curve.{suffix}").read_bytes()
    assert first.startswith(begins)
    call(*arguments)
    assert Path(f"curve.{suffix}").read_bytes() == first
    if suffix == "svg":
        shown = [name for name in SCHEDULES if f">{name}</text>" in first.decode()]
        assert shown == ([kind] if kind else list(SCHEDULES))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cosine", "--plot", "curve.jpg"], "--plot: FILE must end in .svg or .png or .pdf, got 'curve.jpg'"),
        (["--plot", "curve"], "--plot: FILE must end in .svg or .png or .pdf, got 'curve'"),
        (["cosine", "--plot", "none/curve.svg"], "--plot: none/curve.svg cannot be written: No such file"),
        (["cosinus", "--plot", "curve.svg"], "schedules: unknown kind 'cosinus'; did you mean 'cosine'?"),
        (["cosine", "--plot", "curve.svg", "--json"], "--json"),
    ],
)
def test_a_picture_that_is_refused(call, arguments, says):
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ") and says in err and err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_json_has_what_the_docstring_says(call):
    (told,) = json.loads(call("polyak", "--json")[1])
    assert told["formula"].startswith("scale = min(L / (c * |g|^2 + 1e-8), eta0) / eta0")
    assert told["traps"].startswith("it assumes that the best possible loss")
    assert told["source"].startswith("Loizou")
    assert told["observes"] == ["loss", "grad_norm_sq"]
    assert len(told["explanation"]) == 1 and "`smoothing`" in told["explanation"][0]
    (fixed,) = json.loads(call("rex", "--json")[1])
    assert fixed["observes"] == []
    assert {"kind", "family", "doc", "learning_rate", "parameters"} <= set(fixed)


@dataclasses.dataclass(frozen=True)
class Demanding(Fixed):
    """scale = 1: a kind of somebody else's, with a parameter that nobody can guess."""

    secret: object = number("(0, 1]")

    def at(self, clock):
        return clock.step * 0 + self.secret


def test_a_kind_without_an_example_is_described_all_the_same(call, monkeypatch):
    monkeypatch.setattr(schedules, "SCHEDULES", registry.Registry(Demanding, SCHEDULES["linear"]))
    code, out, _ = call("demanding")
    assert code == 0
    assert "somebody else's" in out and "demanding: its curve cannot be shown" in out and "secret" in out
    (told,) = json.loads(call("demanding", "--json")[1])
    assert told["traps"] is None and told["source"] is None
    code, out, err = call("--plot", "all.svg")
    assert (code, out) == (0, "schedules: all.svg\n")
    assert "skipped: demanding" in err
    assert ">linear</text>" in Path("all.svg").read_text()
    assert call("demanding", "--plot", "one.svg")[0] == 2
    assert not Path("one.svg").exists()


@pytest.fixture
def a_broken_package(monkeypatch):
    """A package whose schedule ``waves`` cannot be imported."""
    waves = EntryPoint("waves", "nowhere:Waves", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [waves])
    monkeypatch.delitem(vars(SCHEDULES), "_all", raising=False)
    yield "decaybench.schedules: entry point waves = nowhere:Waves cannot be imported: ModuleNotFoundError: No module named 'nowhere'"
    vars(SCHEDULES).pop("_all", None)


def test_a_package_that_cannot_be_imported_breaks_nothing_but_itself(call, a_broken_package):
    code, out, err = call()
    assert code == 0 and "cosine" in out and "waves" not in out
    assert err == f"not listed: {a_broken_package}\n"
    code, out, err = call("--json")
    assert code == 0 and "cosine" in {kind["kind"] for kind in json.loads(out)} and err.startswith("not listed")
    assert call("cosine")[0] == 0
    assert call("waves") == (2, "", f"error: {a_broken_package}\n")
    code, _, err = call("cosin")
    assert code == 2 and err.startswith("error: schedules: unknown kind 'cosin'") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "says"),
    [("waves", 'must be a usable kind, got "waves": {}'), ("cosin", "unknown kind 'cosin'; did you mean 'cosine'?")],
)
def test_a_sweep_that_names_a_broken_or_misspelt_kind(call, a_broken_package, kind, says):
    mapping = {
        "name": "x",
        "task": {"data": "digits", "model": "small-cnn", "epochs": 1, "batch_size": 10},
        "budget": {"trials": 1, "repeats": 1, "confirm_seeds": 1},
    }
    assert Sweep.from_mapping(mapping | {"strategies": {"cosine": {}}}, "s.toml").name == "x"
    with pytest.raises(UserError) as refusal:
        Sweep.from_mapping(mapping | {"strategies": {"a": {"schedule": kind}}}, "s.toml")
    assert str(refusal.value).startswith(f"s.toml: strategies.a.schedule: {says.format(a_broken_package)}")
    assert "\n" not in str(refusal.value)

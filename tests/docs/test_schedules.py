"""docs/schedules/ has a page and a picture for every kind, says what the kinds say, and what it shows works."""

import importlib.util
import re
import tomllib
from xml.etree import ElementTree

import pytest
import torch

from decaybench.cli.schedules import describe
from decaybench.schedules import SCHEDULES
from decaybench.schedules.example import EPOCH, UPDATES, example, settings
from decaybench.sweep import Sweep, arms
from docs.pages import DOCS, blocks, text

spec = importlib.util.spec_from_file_location("make_schedules", DOCS / "make_schedules.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)

FOLDER = DOCS / "schedules"
KINDS = pytest.mark.parametrize("kind", make.BUILT_IN)
AGAIN = "run: python3 -m nox -s docs"


def test_every_kind_has_a_page_and_a_picture_and_nothing_else_has():
    assert set(make.BUILT_IN) == {kind for kind, cls in SCHEDULES.items() if "decaybench" in cls.__module__}
    expected = {"README.md", *(f"{kind}.{suffix}" for kind in make.BUILT_IN for suffix in ("md", "svg"))}
    assert {file.name for file in FOLDER.iterdir()} == expected, AGAIN


def test_the_pages_say_what_the_docstrings_say():
    for name, expected in make.texts().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == expected, f"docs/schedules/{name} is out of date; {AGAIN}"


@KINDS
def test_a_kind_has_a_formula_pitfalls_and_a_source_and_a_range_or_default_for_everything(kind):
    about = describe(SCHEDULES[kind])
    assert about["formula"].startswith("scale = ")
    assert about["traps"], f"{kind}: its docstring has no paragraph that begins 'Pitfalls: '"
    assert about["source"], f"{kind}: its docstring has no paragraph that begins 'Source: '"
    for parameter in about["parameters"]:
        name = parameter["name"]
        optional = parameter["legal"].startswith("None | ")  # None is then its default
        assert parameter["searched"] or parameter["default"] is not None or optional, f"{kind}.{name}"
        assert parameter["legal"], f"{kind}.{name}"


@KINDS
def test_a_picture_is_of_the_kind_and_small(kind):
    svg = (FOLDER / f"{kind}.svg").read_text()
    assert len(svg) < 30_000
    assert f"The scale of {kind} " in ElementTree.fromstring(svg)[0].text
    assert f"({kind}.svg)" in text(f"schedules/{kind}.md")


def test_the_pictures_are_drawn_the_same_every_time():
    run = example(SCHEDULES["bold_driver"])
    first, second = (make.picture.render({"bold_driver": run}, ".svg") for _ in range(2))
    assert first == second
    assert b"dc:date" not in first


def strategy(toml: str):
    sweep = {
        "name": "page",
        "task": {"data": "digits", "model": "small-cnn", "epochs": 20, "batch_size": 64},
        "budget": {"trials": 2, "repeats": 1, "confirm_seeds": 1},
    }
    return arms(Sweep.from_mapping(sweep | tomllib.loads(toml), "page"))[0]


@KINDS
def test_the_strategy_of_a_page_is_the_kinds_default(kind):
    (toml,) = blocks(f"schedules/{kind}.md", "toml")
    shown, bare = strategy(toml), strategy(f"[strategies.{kind}]")
    assert shown.kind == kind
    assert {d.name: d.range for d in shown.space} == {d.name: d.range for d in bare.space}
    cls, own = SCHEDULES[kind], {name: value.value for name, value in shown.fixed.items()}
    assert cls(**own) == cls()


@KINDS
def test_the_loop_of_a_page_trains(kind):
    (code,) = blocks(f"schedules/{kind}.md", "python")
    torch.manual_seed(0)
    names: dict = {}
    exec(code, names)
    schedule, state = names["schedule"], names["scheduler"].state_dict()
    assert schedule == SCHEDULES[kind](**settings(SCHEDULES[kind]))
    assert state["step"] == UPDATES
    assert state["observations"] == (
        0 if schedule.family == "fixed" else UPDATES if schedule.when == "update" else UPDATES // EPOCH
    )
    assert torch.isfinite(names["model"].weight).all()


@KINDS
def test_a_page_says_whether_keras_can_follow(kind):
    page, schedule = text(f"schedules/{kind}.md"), SCHEDULES[kind](**settings(SCHEDULES[kind]))
    assert ("Keras cannot follow it" in page) == bool(getattr(schedule, "observes", ()))
    assert ("from decaybench.schedules import KerasCallback" in page) != ("Keras cannot follow it" in page)
    late = re.findall(r'`signal="(\w+)"`', page.partition("In Keras 3")[2])
    signals = schedule.options().get("signal", ())
    assert late == [signal for signal in signals if SCHEDULES[kind](signal=signal).when == "update"]


@pytest.mark.parametrize("page", ["README", *make.BUILT_IN])
def test_links_lead_somewhere(page):
    targets = re.findall(r'\]\(([\w./-]+)(?:#[\w-]+)?\)|src="([^"]+)"', text(f"schedules/{page}.md"))
    assert targets
    for linked, drawn in targets:
        assert (FOLDER / (linked or drawn)).is_file(), linked or drawn


def test_the_index_links_every_kind_under_its_family():
    index = text("schedules/README.md")
    fixed, reactive = index.partition("## Fixed")[2].split("## Reactive")
    for kind in make.BUILT_IN:
        assert f"| [{kind}]({kind}.md) |" in (fixed if SCHEDULES[kind].family == "fixed" else reactive)


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("2 ** (1 / n) and a * b", "2 ** (1 / n) and a * b"),
        ("f* = 0, eta0*exp(L)", r"f\* = 0, eta0\*exp(L)"),
        ("a < b, <b>", r"a < b, \<b>"),
        ("`eta0*exp(L)` as it is", "`eta0*exp(L)` as it is"),
    ],
)
def test_what_markdown_would_take_for_markup_is_escaped(plain, escaped):
    assert make.markdown(plain) == escaped

"""What the pages promise exists: keys, commands, sweeps, links; and nothing that exists is left out."""

import json
import re
import tomllib
from typing import get_args

import pytest

from decaybench.compare.looks import REPEATS
from decaybench.data.augment import KINDS
from decaybench.data.hub import SOURCES
from decaybench.metrics import METRICS
from decaybench.models import MODELS
from decaybench.optimizers import OPTIMIZERS
from decaybench.schedules import SCHEDULES
from decaybench.sweep import Budget, Decide, Search, Strategy, Sweep, Task, load_sweep, resolve, shipped
from decaybench.sweep.arms import arms
from decaybench.sweep.fields import Table
from decaybench.sweep.spec import CHANGEABLE
from decaybench.sweep.values import UNITS
from docs.pages import BLOCK, DOCS, blocks, section, text

PAGES = [
    "getting-started.md",
    "sweep-file.md",
    "bring-your-own.md",
    "own-loop.md",
    "reading-the-report.md",
    "past-one-machine.md",
]
TABLES = {
    "Top level": Sweep,
    "[task]": Task,
    "[budget]": Budget,
    "[decide]": Decide,
    "[search]": Search,
    "[strategies.LABEL]": Strategy,
}


@pytest.mark.parametrize("title", TABLES)
def test_every_key_of_the_sweep_file_is_explained(title):
    table, model = section("sweep-file.md", title), TABLES[title]
    first = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| "))
    for name in model.model_fields:
        assert f"`{name}`" in first or (model is Strategy and name == "own"), name
    for name in re.findall(r"`(\w+)`", first):
        assert name in model.model_fields, name


@pytest.mark.parametrize("title", ["[task]", "[decide]", "[search]"])
def test_every_legal_word_is_listed(title):
    table = section("sweep-file.md", title)
    for name, field in TABLES[title].model_fields.items():
        for word in METRICS if name == "metric" else get_args(field.annotation):
            if isinstance(word, str):
                assert f'`"{word}"`' in table, f"{name}: {word}"


def test_every_optimizer_is_listed_and_explained():
    for name in OPTIMIZERS:
        assert f'`"{name}"`' in section("sweep-file.md", "[task]")
        assert f'\n- `"{name}"`: ' in text("sweep-file.md")


def test_every_augmentation_is_listed_and_explained():
    for kind in KINDS:
        written = f'`"{kind.kind}{"N" if kind.sized else ""}"`'
        assert written in section("sweep-file.md", "[task]")
        assert f"\n- {written}: " in text("sweep-file.md")


@pytest.mark.parametrize("title", ["[task]", "[budget]", "[decide]", "[search]"])
def test_defaults_are_the_models(title):
    rows = [line.split(" | ") for line in section("sweep-file.md", title).splitlines() if line.startswith("| `")]
    for key, *_, default in rows:
        field = TABLES[title].model_fields[key.strip("| `")]
        if field.is_required():
            assert default.strip("| ") == "required", key
        elif isinstance(field.default, Table):
            given = tomllib.loads(f"key = {default.strip('| `')}")["key"]
            assert type(field.default).model_validate(given) == field.default, key
        elif not (field.default is None or hasattr(field.default, "unit")):
            shown = json.dumps(field.default)
            assert default.strip("| ") == f"`{shown}`", key


def test_units_and_values():
    page = text("sweep-file.md")
    assert all(f'`"{unit}"`' in page for unit in UNITS)
    for form in ("value =", "low =", "log = true", "int = true", "choices =", "unit ="):
        assert form in section("sweep-file.md", "A parameter's value"), form


def test_models_and_data_sets_are_listed():
    task = section("sweep-file.md", "[task]")
    assert all(f'`"{name}"`' in task for name in ("digits", *SOURCES))
    assert all(f"`{name}`" in section("sweep-file.md", "Models") for name in MODELS._built_in)
    table = section("getting-started.md", "Real images")
    for name, source in SOURCES.items():
        row = next(line for line in table.splitlines() if line.startswith(f"| `{name}`"))
        assert f"`{source.repository}`" in row
        assert all(f"`{source.folder}/{part}-00000-of-00001.parquet`" in row for part in ("train", "test"))


def test_the_example_is_a_sweep():
    example = tomllib.loads(blocks("sweep-file.md", "toml")[0])
    assert Sweep.from_mapping(example, "example").name == "example"


def sweep_with(block: int) -> Sweep:
    """The sweep file's example with the strategies of another of the page's blocks."""
    example, others = (tomllib.loads(blocks("sweep-file.md", "toml")[n]) for n in (0, block))
    return Sweep.from_mapping(example | others, "example")


def test_an_average_is_no_control():
    assert [(arm.label, arm.control) for arm in arms(sweep_with(1))] == [("constant", True), ("constant_ema", False)]


def test_one_decay_in_three_units():
    sweep = sweep_with(2)
    values = {"learning_rate": 0.1}
    decays = {resolve(arm, values, total_steps=180, steps_per_epoch=18).params["decay"] for arm in arms(sweep)}
    assert all(decay == pytest.approx(0.05, rel=1e-12) for decay in decays)


def test_every_shipped_sweep_is_listed():
    listed = set(
        re.findall(r"`([a-z0-9-]+)`", section("getting-started.md", "A first sweep").partition("First see")[0])
    )
    assert listed == set(shipped())


def test_looks_are_after_the_repeats_that_the_page_lists():
    listed = section("sweep-file.md", "[budget]").partition("Further looks follow after")[2].partition(" repeats")[0]
    assert [int(number) for number in re.findall(r"\d+", listed)] == list(REPEATS[1:])


def test_what_may_change_is_listed():
    table = section("sweep-file.md", "Changing a sweep")
    listed = re.findall(r"`([\w.]+)`", " ".join(line.split("|")[1] for line in table.splitlines() if "| `" in line))
    assert sorted(listed) == sorted(".".join(path) for path in CHANGEABLE)


def test_the_shipped_sweeps_have_the_test_split_that_the_page_says():
    assert "MNIST and CIFAR-10 set `test_size = 2000`" in " ".join(section("sweep-file.md", "[task]").split())
    for name in shipped():
        task = load_sweep(name).task
        assert task.test_size == (None if task.data == "digits" else 2000), name


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_kinds_exist(page):
    import typer

    from decaybench.cli.main import app

    known = typer.main.get_command(app).commands
    for command, argument in re.findall(r"(?:`|^)decaybench (\w+)(?: (\w+))?", text(page), re.MULTILINE):
        assert command in known, command
        if command == "schedules" and argument and argument.islower():
            assert argument in {*SCHEDULES, "parabola"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    prose = BLOCK.sub("", text(page))  # in code, [name](value) is a call
    for target in re.findall(r"\]\(([^)#]+)\)", prose):
        assert target.startswith("https://") or (DOCS / target).is_file(), target


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_readable(page):
    lines = text(page).splitlines()
    assert all(len(line) <= 120 for line in lines if not line.startswith("|"))

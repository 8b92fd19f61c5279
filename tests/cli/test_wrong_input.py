"""Whatever is wrong: exit code 2, one line that names what, no traceback, and nothing written."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from small_sweep import SMALL


def sweep(old: str = "", new: str = "", *, extra: str = "", path: str = "s.toml") -> str:
    assert old in SMALL
    Path(path).write_text(SMALL.replace(old, new, 1) + extra)
    return path


# (what is wrong, old text, new text, what the line must say)
FILES = [
    ("unknown top-level key", "question", "questoin", "questoin"),
    ("unknown key in task", "epochs = 3", "epoch = 3", "task.epoch"),
    ("unknown key in budget", "trials = 4", "trails = 4", "budget.trails"),
    ("unknown key in search", "seed = 3", "sede = 3", "search.sede"),
    ("unknown field of a schedule", "staircase = true", "stairs = true", "strategies.staircase.stairs"),
    ("wrong type: text for a number", "epochs = 3", 'epochs = "3"', "task.epochs"),
    ("wrong type: bool for a number", "trials = 4", "trials = true", "budget.trials"),
    ("wrong type: number for a name", 'name = "small"', "name = 5", "name"),
    ("a float for a whole number", "repeats = 2", "repeats = 2.5", "budget.repeats"),
    ("negative epochs", "epochs = 3", "epochs = -3", "task.epochs"),
    ("zero trials", "trials = 4", "trials = 0", "budget.trials"),
    ("too many trials", "trials = 4", "trials = 100001", "budget.trials"),
    ("batch size 0", "batch_size = 32", "batch_size = 0", "task.batch_size"),
    ("batch size in words", "batch_size = 32", 'batch_size = "all"', "task.batch_size"),
    ("batch larger than the split", "batch_size = 32", "batch_size = 161", "task.batch_size"),
    ("train_size larger than the data", "train_size = 160", "train_size = 5000", "task.train_size"),
    ("train_size below the classes", "train_size = 160", "train_size = 3", "task.train_size"),
    ("validation larger than the data", "validation_size = 100", "validation_size = 1490", "task.validation_size"),
    ("low above high", "low = 1e-2, high = 1.0", "low = 2.0, high = 1.0", "search.learning_rate.low"),
    ("log from 0", "low = 1e-2, high = 1.0", "low = 0.0, high = 1.0", "search.learning_rate.low"),
    ("NaN", "low = 1e-2, high = 1.0", "low = nan, high = 1.0", "search.learning_rate.low"),
    ("infinity", "low = 1e-2, high = 1.0", "low = 1e-2, high = inf", "search.learning_rate.high"),
    ("mixed log", "high = 0.1, log = true", "high = 0.1", "strategies.exp_loss.learning_rate"),
    ("momentum of 1", "low = 0.5, high = 0.95", "low = 0.5, high = 1.0", "search.momentum.high"),
    ("unknown schedule", 'schedule = "exponential"', 'schedule = "exponentail"', "strategies.staircase.schedule"),
    ("unknown unit", 'unit = "epoch"', 'unit = "eons"', "strategies.staircase.decay_steps.unit"),
    ("unit of another dimension", 'unit = "epoch"', 'unit = "1/epoch"', "strategies.staircase.decay_steps"),
    ("outside the domain", "decay_steps = { value = 1,", "decay_steps = { value = -1,", "strategies.staircase.decay_steps"),
    ("unknown model", '"small-cnn"', '"resnet-9000"', "task.model"),
    ("model too large for the images", '"small-cnn"', '"lenet"', "task.model"),
    ("unknown precision", "batch_size = 32", 'batch_size = 32\nprecision = "fp8"', "task.precision"),
    ("unknown metric", "batch_size = 32", 'batch_size = 32\nmetric = "f1"', "task.metric"),
    ("unknown data without a folder", '"digits"', '"mnist"', "--data"),
    ("a name with a slash", 'name = "small"', 'name = "../small"', "name"),
    ("a name too long", 'name = "small"', f'name = "{"x" * 65}"', "name"),
    ("a label with a space", "[strategies.constant]", '[strategies."con stant"]', "con stant"),
    ("lengths above 1", "confirm_seeds = 2", "confirm_seeds = 2\nlengths = [0.5, 2.0]", "budget.lengths"),
    ("lengths that are the same epochs", "confirm_seeds = 2", "confirm_seeds = 2\nlengths = [0.9, 1.0]", "budget.lengths"),
    ("not TOML", "[task]", "[task", "not TOML"),
    ("a key twice", "epochs = 3", "epochs = 3\nepochs = 4", "not TOML"),
    ("no task", SMALL[SMALL.index("[task]") : SMALL.index("[budget]")], "", "task"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
@pytest.mark.parametrize("command", ["run", "check"])
def test_wrong_sweep(refused, command, old, new, says):
    assert says in refused(command, sweep(old, new))


def test_no_strategies(refused):
    Path("s.toml").write_text(SMALL[: SMALL.index("[strategies")] + "[strategies]\n")
    assert "strategies" in refused("run", "s.toml")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "neither a file nor a shipped sweep"), (b"", "empty"), (b"\xff\xfe", "UTF-8"), ("folder", "directory")],
    ids=["missing", "empty", "not UTF-8", "a directory"],
)
def test_no_sweep_file(refused, content, says):
    if content == "folder":
        Path("s.toml").mkdir()
    elif content is not None:
        Path("s.toml").write_bytes(content)
    assert says in refused("run", "s.toml")


def text_file(path: Path) -> None:
    path.write_text("these are my notes, not a database\n" * 50)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")


def damaged(path: Path) -> None:
    foreign(path)
    content = bytearray(path.read_bytes())
    content[100:6000] = b"\xa5" * len(content[100:6000])
    path.write_bytes(content)


def read_only(path: Path) -> None:
    path.touch()
    path.chmod(0o444)


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [text_file, foreign, damaged, read_only, folder])
@pytest.mark.parametrize("command", ["run", "report", "status"])
def test_wrong_database(refused, make, command):
    make(Path("d.db"))
    argument = [sweep()] if command == "run" else ["small"]
    assert "d.db" in refused(command, *argument, "--storage", "sqlite:///d.db")


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_wrong_url(refused, url):
    assert "storage" in refused("run", sweep(), "--storage", url)


def test_no_report_to_verify(refused):
    assert "must hold a report: manifest.json" in refused("verify", "none")
    Path("r").mkdir()
    Path("r/manifest.json").write_text("{}")
    assert "must hold files, sweeps and written_by" in refused("verify", "r")
    manifest = '{"files": {}, "sweeps": [{"name": "small"}], "written_by": {}}'
    Path("r/manifest.json").write_text(manifest)
    assert "no database at" in refused("verify", "r", "--storage", "sqlite:///none.db")


def test_no_database_to_report_on(refused):
    for command in ("report", "status"):
        assert "no database at" in refused(command, "small", "--storage", "sqlite:///none.db")


def test_missing_data_folder(refused):
    assert "nowhere" in refused("run", sweep('"digits"', '"mnist"'), "--data", "nowhere")


def test_missing_parquet(refused):
    Path("d/mnist").mkdir(parents=True)
    assert "train.parquet" in refused("run", sweep('"digits"', '"mnist"'), "--data", "d")


def test_parquet_that_is_none(refused):
    Path("d/mnist").mkdir(parents=True)
    for part in ("train", "test"):
        Path(f"d/mnist/{part}.parquet").write_text("no parquet")
    assert "train.parquet" in refused("run", sweep('"digits"', '"mnist"'), "--data", "d")


def test_errors_after_parsing_name_the_file_too(refused):
    for old, new in (("train_size = 160", "train_size = 3"), ('"small-cnn"', '"vgg"'), ('"digits"', '"mnist"')):
        assert refused("run", sweep(old, new)).startswith("error: s.toml: ")


@pytest.mark.parametrize("kind", ["file", "read-only folder"])
def test_a_studies_folder_that_cannot_be_written(refused, kind):
    if kind == "file":
        Path("out").write_text("mine")
    else:
        Path("out").mkdir()
        Path("out").chmod(0o555)
    assert "out" in refused("run", sweep(), "--studies", "out")


def test_a_report_folder_that_is_not_a_report(refused):
    Path("studies/small/report").mkdir(parents=True)
    Path("studies/small/report/thesis.txt").write_text("mine")
    assert "thesis.txt" in refused("run", sweep())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "SWEEP"),
        (["run", "s.toml", "--device", "tpu"], "--device"),
        (["run", "s.toml", "--workers", "two"], "--workers"),
        (["run", "s.toml", "--workers", "0"], "--workers"),
        (["run", "s.toml", "--verbose"], "--verbose"),
        (["launch"], "launch"),
        (["report"], "NAME"),
        (["schedules", "cosinus"], "cosinus"),
    ],
)
def test_wrong_usage(refused, arguments, says):
    sweep()
    assert says in refused(*arguments)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("epochs = 1", "epochs = 2", "task.epochs: 1 in the database, 2 in the file"),
        ("[strategies.constant]", "[strategies.constant]\nlearning_rate = 0.1", "strategies.constant.learning_rate"),
        ("trials = 4", "trials = 0", "budget.trials"),
        ("seed = 3", "seed = 4", "search.seed"),
    ],
)
def test_a_changed_spec_under_a_used_name(refused, small_ran, old, new, says):
    shutil.copytree(small_ran.folder / "studies", "studies")
    small = (small_ran.folder / "small.toml").read_text()
    assert old in small
    Path("s.toml").write_text(small.replace(old, new))
    assert says in refused("run", "s.toml")

"""``decaybench export``, from a sweep that was run."""

import shutil
from pathlib import Path

import pytest

import decaybench
from decaybench import api
from decaybench.cli import main
from small_sweep import SMALL

URL = "sqlite:///d.db"


@pytest.fixture(scope="module")
def done(small_ran, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    shutil.copyfile(small_ran.folder / "studies" / "decaybench.db", folder / "d.db")
    return folder


@pytest.fixture
def call(done, monkeypatch, capsys):
    monkeypatch.chdir(done)
    monkeypatch.setenv("XDG_CACHE_HOME", str(done / "cache"))
    monkeypatch.setenv("DECAYBENCH_STORAGE", URL)

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert end.value.code == code, err
        return err if code else out

    return run


def confirmed() -> dict[tuple[str, int], list]:
    """(strategy, repeat) -> seed, test accuracy and test loss of its confirm runs."""
    runs = decaybench.load(URL, "small").runs
    found: dict = {}
    for run in runs[runs["phase"] == "confirm"].itertuples():
        found.setdefault((run.strategy, run.repeat), []).append((run.seed, run.test_accuracy, run.test_loss))
    return found


def test_the_winner_is_the_first_strategy_s_best_repeat(call):
    setting = api.winner("small", storage=URL)
    means = {
        key: sum(accuracy for _, accuracy, _ in runs) / 2 for key, runs in confirmed().items() if key[0] != "doomed"
    }
    labels = list(dict.fromkeys(label for label, _ in means))
    overall = {label: sum(means[label, repeat] for repeat in (0, 1)) / 2 for label in labels}
    assert overall[setting.arm.label] == max(overall.values())
    best = max(means[setting.arm.label, repeat] for repeat in (0, 1))
    assert means[setting.arm.label, setting.repeat] == best
    code = call("export", "small")
    assert code.startswith(f"# {setting.arm.label}")
    assert f"repeat {setting.repeat}, trial {setting.slot}" in code
    assert f"Test accuracy {100 * best:.1f}% after retraining, the mean of 2 seeds." in code
    assert f"lr={setting.parameters.learning_rate!r}" in code


def test_formats_strategy_and_file(call):
    every = call("export", "small", "--strategy", "staircase", "--format", "all")
    for target, sign in (("torch", "import torch"), ("keras", "import keras"), ("toml", "[strategies.staircase]")):
        alone = call("export", "small", "--strategy", "staircase", "--format", target)
        assert f"# ---- {target} ----\n{alone}" in every
        assert sign in alone
    assert call("export", "small", "--format", "keras", "--out", "code.py") == "small: code.py\n"
    assert Path("code.py").read_text() == call("export", "small", "--format", "keras")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "no sweep 'nothing'"),
        (["small", "--strategy", "cosine"], "--strategy: must be one of constant, staircase, exp_loss, doomed"),
        (["small", "--strategy", "doomed"], "every retrained run of doomed diverged"),
        (["small", "--format", "jax"], "--format: must be one of torch, keras, toml, all"),
        (["small", "--out", "no/folder/code.py"], "--out: no/folder/code.py cannot be written"),
        (["small", "--storage", "sqlite:///none.db"], "no database at"),
        ([], "NAME"),
    ],
)
def test_wrong_usage(call, arguments, says):
    line = call("export", *arguments, code=2)
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    assert says in line


def test_the_sweep_file_passes_check_and_gives_the_winner_s_numbers_again(call, undrawn):
    for label in ("exp_loss", "staircase"):
        call("export", "small", "--strategy", label, "--format", "toml", "--out", "again.toml")
        repeat = api.winner("small", strategy=label, storage=URL).repeat
        assert f"small-{label}" in call("check", "again.toml")
        again = api.run("again.toml", storage=URL)
        runs = decaybench.load(URL, again.name).runs
        runs = runs[(runs["phase"] == "confirm") & (runs["repeat"] == repeat)]
        numbers = [(run.seed, run.test_accuracy, run.test_loss) for run in runs.itertuples()]
        assert numbers == confirmed()[label, repeat]


def test_an_adaptive_sweep_gives_its_best_repeat_s_setting(tmp_path, monkeypatch, undrawn):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = SMALL.replace("epochs = 3", "epochs = 1").replace("trials = 4", "trials = 2")
    text = text[: text.index("[strategies.doomed]")].replace(
        "seed = 3", 'seed = 3\nsampler = "random"\nallocation = "adaptive"'
    )
    (tmp_path / "s.toml").write_text(text)
    decaybench.run("s.toml", storage=URL)
    runs = decaybench.load(URL, "small").runs
    means = runs[runs["phase"] == "confirm"].groupby(["repeat", "strategy"])["test_accuracy"].mean()
    setting = api.winner("small", storage=URL)
    assert means[setting.repeat, setting.arm.label] == means.max()
    assert "did not compare strategies" in api.export("small", storage=URL)

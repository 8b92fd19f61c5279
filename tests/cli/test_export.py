"""``decaybench export``, from a sweep that was run."""

import shutil
from pathlib import Path

import pytest

import decaybench
from decaybench import api, store
from decaybench.cli import main
from decaybench.export import Setting
from decaybench.findings import collect, join, pick, summarise
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
    monkeypatch.setenv("DECAYBENCH_STORAGE", URL)

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert end.value.code == code, err
        return err if code else out

    return run


def retrained(setting: Setting, name: str = "small") -> list[tuple]:
    """Seed, test accuracy and test loss of the runs that retrain a configuration."""
    runs = decaybench.load(URL, name).runs
    own = runs[(runs["phase"] == "confirm") & (runs["strategy"] == setting.arm.label)]
    own = own[(own["repeat"] == setting.repeat) & (own["slot"] == setting.slot)]
    return sorted((run.seed, run.test_accuracy, run.test_loss) for run in own.itertuples())


def test_the_configuration_is_the_one_that_was_chosen_on_fresh_seeds(call):
    setting = api.best("small", storage=URL)
    with store.open_storage(URL, create=False) as opened:
        picked = pick(summarise(collect(join([store.load(opened, "small")]))))
    assert picked.retrained is not None and picked.retrained.mean is not None
    assert setting.arm.label == picked.row.strategy.label
    chosen = picked.retrained.chosen
    assert chosen is not None and (setting.repeat, setting.slot) == (chosen.repeat, chosen.slot)
    accuracies = {seed: accuracy for seed, accuracy, _ in retrained(setting)}
    further = [accuracies[run.seed] for run in picked.retrained.further]
    assert len(further) == 2 and picked.retrained.mean == pytest.approx(sum(further) / 2)
    code = call("export", "small")
    assert code.startswith(f"# {setting.arm.label}")
    assert f"repeat {setting.repeat}, trial {setting.slot}" in code
    assert f"{100 * picked.retrained.mean:.1f}%" in code
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
        (["small", "--strategy", "doomed"], "every trial of doomed diverged: no configuration to export"),
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


def test_the_sweep_file_passes_check_and_gives_the_retrained_numbers_again(call, undrawn):
    for label in ("exp_loss", "constant"):
        call("export", "small", "--strategy", label, "--format", "toml", "--out", "again.toml")
        found = api.best("small", strategy=label, storage=URL)
        assert f"small-{label}" in call("check", "again.toml")
        again = api.run("again.toml", storage=URL)
        assert again.trained == 1 + 4 + 2 * (label == "exp_loss")  # a trial, retraining, replays
        assert retrained(api.best(again.name, storage=URL), again.name) == retrained(found)
        assert len(retrained(found)) == 4


def test_an_adaptive_sweep_gives_its_best_repeat_s_setting(tmp_path, monkeypatch, undrawn):
    monkeypatch.chdir(tmp_path)
    text = SMALL.replace("epochs = 3", "epochs = 1").replace("trials = 4", "trials = 2")
    text = text[: text.index("[strategies.doomed]")].replace(
        "seed = 3", 'seed = 3\nsampler = "random"\nallocation = "adaptive"'
    )
    (tmp_path / "s.toml").write_text(text)
    decaybench.run("s.toml", storage=URL)
    runs = decaybench.load(URL, "small").runs
    retrained = runs[runs["phase"] == "confirm"]
    setting = api.best("small", storage=URL)
    own = retrained[(retrained["repeat"] == setting.repeat) & (retrained["slot"] == setting.slot)]
    assert set(own["strategy"]) == {setting.arm.label} and len(own) == 4
    assert len(retrained) == 3 * 2 + 2
    assert "did not compare strategies" in api.export("small", storage=URL)

"""What must not be touched, and what must be looked at again behind the lock."""

import math
import tomllib

import optuna
import pytest

import decaybench
from decaybench import UserError
from decaybench.runner import driver, run_sweep
from decaybench.runner.environment import choose_device, prepare_environment
from decaybench.runner.worker import Worker
from decaybench.sweep import Sweep
from small_sweep import SMALL

TINY = (
    SMALL.replace("epochs = 3", "epochs = 1").replace("trials = 4", "trials = 1").replace("repeats = 2", "repeats = 1")
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def start(text: str = TINY) -> int:
        """Train, without a report; returns the number of runs trained."""
        sweep = Sweep.from_mapping(tomllib.loads(text), "s.toml")
        return run_sweep(sweep, url="sqlite:///d.db", data_root=None)

    return start


def test_a_users_own_study_of_that_name_is_refused_and_left_alone(run, tmp_path):
    study = optuna.create_study(study_name="small", storage="sqlite:///d.db", direction="minimize")
    study.ask()
    before = (tmp_path / "d.db").read_bytes()
    with pytest.raises(UserError, match="small: the database already has an Optuna study of that name"):
        run()
    assert (tmp_path / "d.db").read_bytes() == before


def test_chance_is_the_share_of_the_most_common_training_label():
    mapping = tomllib.loads(TINY)
    mapping["task"] |= {"train_size": 103, "validation_size": 41}
    environment = prepare_environment(Sweep.from_mapping(mapping, "s.toml"), None, choose_device("cpu"))
    shares = [
        part.labels.bincount().max().item() / len(part)
        for part in (environment.data.train, environment.data.validation)
    ]
    assert shares[0] != shares[1]
    assert environment.chance == {"accuracy": shares[0], "loss": math.log(10)}


def test_trials_that_name_no_run_are_left_alone(run):
    run()
    study = optuna.load_study(study_name="small", storage="sqlite:///d.db")
    mine = study.ask().number
    assert run() == 0
    again = optuna.load_study(study_name="small", storage="sqlite:///d.db")
    assert again.trials[mine].state == optuna.trial.TrialState.RUNNING


def test_a_deleted_study_comes_back_with_the_rows_numbers(run):
    run()
    optuna.delete_study(study_name="small", storage="sqlite:///d.db")
    run()
    study = optuna.load_study(study_name="small", storage="sqlite:///d.db")
    numbers = {trial.user_attrs["run_id"]: trial.number for trial in study.trials}
    runs = decaybench.load("sqlite:///d.db", "small").runs
    search = runs[runs["phase"] == "search"]
    assert numbers == {run.id: int(run.trial_number) for run in search.itertuples()}


def test_the_spec_is_compared_again_behind_the_lock(run, monkeypatch):
    """While one process prepares, another writes the sweep with other epochs."""
    original = driver.prepare_environment

    def meanwhile(*arguments):
        monkeypatch.setattr(driver, "prepare_environment", original)
        run(TINY.replace("epochs = 1", "epochs = 2"))
        return original(*arguments)

    monkeypatch.setattr(driver, "prepare_environment", meanwhile)
    with pytest.raises(UserError, match=r"task.epochs: 2 in the database, 1 in the file"):
        run()


def test_results_that_were_written_before_a_failure_count(run, monkeypatch):
    def written_and_lost(*arguments):
        whole(*arguments)
        raise RuntimeError("lost")

    whole = Worker._train
    monkeypatch.setattr(Worker, "_train", written_and_lost)
    trained = run()
    assert trained == len(decaybench.load("sqlite:///d.db", "small").runs) and run() == 0


def test_without_git_on_the_path_it_runs(tmp_path, monkeypatch, undrawn):
    monkeypatch.setenv("PATH", str(tmp_path))
    places = {"storage": f"sqlite:///{tmp_path}/d.db", "studies": tmp_path}
    assert decaybench.run(tomllib.loads(TINY), **places).report.is_file()
    assert decaybench.load(places["storage"], "small").sweep["provenance"]["git_revision"] is None

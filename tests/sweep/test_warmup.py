"""A warmup that does not end within its run is noted, whatever it is given as, and no other is."""

import pytest

from decaybench.sweep import Sweep, long_warmups

STEPS = 10  # updates an epoch; a run has 4 epochs


def notes(strategy, *, lengths=(1.0,), steps=STEPS):
    sweep = Sweep.from_mapping(
        {
            "name": "warm",
            "task": {"data": "digits", "model": "small-cnn", "epochs": 4, "batch_size": 10},
            "budget": {"trials": 1, "repeats": 1, "confirm_seeds": 1, "lengths": list(lengths)},
            "strategies": {"plain": {"schedule": "constant"}, "it": strategy},
        },
        "x",
    )
    return long_warmups(sweep, steps)


@pytest.mark.parametrize(
    ("warmup", "given"),
    [
        (41, "41 updates"),
        (40.6, "41 updates"),
        (1e300, "9,007,199,254,740,992 updates"),
        ({"value": 4.1, "unit": "epoch"}, "41 updates"),
        ({"value": 1.5, "unit": "run"}, "60 updates"),
        ({"low": 41, "high": 80, "unit": "update"}, "41 to 80 updates are searched"),
        ({"low": 40, "high": 41, "unit": "update"}, "40 to 41 updates are searched"),
        ({"choices": [41, 60]}, "41 to 60 updates are searched"),
        ({"low": 1, "high": 41, "log": True, "unit": "update"}, "1 to 41 updates are searched"),
        ({"low": 2, "high": 20}, "80 to 800 updates are searched"),  # without a unit it is searched in runs
        ({"low": 0.5, "high": 1.5, "unit": "update"}, None),
        ({"low": 0.5, "high": 1.5}, "20 to 60 updates are searched"),
        ({"low": 1, "high": 5, "unit": "epoch", "int": True}, "10 to 50 updates are searched"),
        ({"choices": [0, 60, 20]}, "0 to 60 updates are searched"),
        (0, None),
        (40, None),
        (40.4, None),
        ({"value": 1, "unit": "run"}, None),
        ({"low": 0.0, "high": 1.0, "unit": "run"}, None),
        ({"choices": [0, 40]}, None),
    ],
)
@pytest.mark.parametrize("kind", ["cosine", "exp_loss"])
def test_what_a_warmup_may_be(kind, warmup, given):
    ending = "the warmup does not end"
    if given and "searched" in given:
        least = int(given.partition(" ")[0])
        ending = "a longer warmup does not end" if least <= 40 else "none of these warmups ends"
    line = f"strategies.it.warmup: {given}, but a run has 40: {ending} before the run does"
    assert notes({"schedule": kind, "warmup": warmup}) == ((line,) if given else ())


def test_each_length_has_its_own():
    assert notes({"schedule": "linear", "warmup": 25}, lengths=(0.25, 0.5, 1.0)) == (
        "strategies.it.warmup: 25 updates, but a run of length 0.25 has 10: the warmup does not end before the run does",
        "strategies.it.warmup: 25 updates, but a run of length 0.5 has 20: the warmup does not end before the run does",
    )
    assert len(notes({"schedule": "linear", "warmup": {"value": 2, "unit": "epoch"}}, lengths=(0.25, 1.0))) == 1


def test_updates_an_epoch_count():
    assert notes({"schedule": "linear", "warmup": 5}, steps=1) and not notes(
        {"schedule": "linear", "warmup": 5}, steps=2
    )


def test_a_kinds_own_warmup():
    assert notes({"schedule": "noam"}) == ()
    assert notes({"schedule": "noam", "warmup_steps": 41}) == (
        "strategies.it.warmup_steps: 41 updates, but a run has 40: the warmup does not end before the run does",
    )

"""What a scheduler saves is taken up exactly in any order, and checked whole before any of it is taken."""

import io
import math
from copy import deepcopy

import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler

UPDATES, EPOCH = 12, 3
KINDS = {
    "cosine": {"floor": 0.1, "warmup": 2},
    "exp_loss_relative": {"gain": 1.0, "signal": "ema"},
    "reduce_on_plateau": {"factor": 0.5, "patience": 0, "cooldown": 1},
    "hypergradient": {"beta": 1e-3},
    "polyak": {"c": 0.5},
}


class Run:
    """A loop of one's own over two groups, one of them frozen at first sight: the losses are a function of the time."""

    def __init__(self, kind, rates=(0.1, 0.4)):
        torch.manual_seed(0)
        self.weights = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.full((2,), 2.0))]
        groups = [{"params": [w], "lr": rate} for w, rate in zip(self.weights, rates, strict=True)]
        self.optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.5)
        self.kind = kind

    def schedule(self):
        self.scheduler = TorchScheduler(self.optimizer, SCHEDULES[self.kind](**KINDS[self.kind]), UPDATES, EPOCH)
        return self

    def go(self, begin, end):
        rates = []
        when = getattr(self.scheduler.schedule, "when", None)
        for t in range(begin, end):
            for i, w in enumerate(self.weights):
                w.grad = torch.sin(torch.arange(len(w)) + t * (i + 1.0))
            if when == "update":
                self.scheduler.observe(1 + math.cos(t))
            rates.append(self.scheduler.get_last_lr())
            self.optimizer.step()
            self.scheduler.step()
            if when == "epoch" and (t + 1) % EPOCH == 0:
                self.scheduler.observe(1.0)
        return rates

    def saved(self):
        file = io.BytesIO()
        torch.save([self.optimizer.state_dict(), self.scheduler.state_dict(), self.weights], file)
        file.seek(0)
        optimizer, scheduler, weights = torch.load(file, weights_only=True)
        return optimizer, scheduler, weights


def fill(run, weights):
    with torch.no_grad():
        for mine, theirs in zip(run.weights, weights, strict=True):
            mine.copy_(theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "order", ["optimizer, make, scheduler", "make, optimizer, scheduler", "make, scheduler, optimizer"]
)
@pytest.mark.parametrize("rates", [(0.1, 0.4), (7.0, 9.0)])
def test_a_run_is_taken_up_exactly_in_each_order(kind, order, rates):
    whole = Run(kind).schedule().go(0, UPDATES)
    for at in (1, 3, 7):
        first = Run(kind).schedule()
        done = first.go(0, at)
        optimizer, scheduler, weights = first.saved()
        again = Run(kind, rates)  # whatever learning rates the new optimizer was made with
        fill(again, weights)
        for part in order.split(", "):
            if part == "optimizer":
                again.optimizer.load_state_dict(deepcopy(optimizer))
            elif part == "make":
                again.schedule()
            else:
                again.scheduler.load_state_dict(scheduler)
        assert again.scheduler.get_last_lr() == first.scheduler.get_last_lr()
        assert again.scheduler.base_lrs == [0.1, 0.4]
        assert done + again.go(at, UPDATES) == whole


def test_what_is_saved_is_plain_and_stays_what_it_was():
    run = Run("hypergradient").schedule()
    run.go(0, 4)
    saved = run.scheduler.state_dict()
    copy = deepcopy(saved)
    run.go(4, 8)
    assert saved["step"] == 4
    assert all(a.equal(b) for a, b in zip(saved["directions"], copy["directions"], strict=True))
    assert all(saved["state"][name].equal(copy["state"][name]) for name in saved["state"])
    assert {type(value) for value in saved.values()} == {str, int, bool, list, dict}


def test_only_the_optimizer_was_saved():
    first = Run("cosine").schedule()
    rates = first.go(0, 8)
    again = Run("cosine", (7.0, 9.0))
    again.optimizer.load_state_dict(first.optimizer.state_dict())
    again.schedule().scheduler.step(7)
    assert again.scheduler.get_last_lr() == rates[7]
    late = Run("cosine", (7.0, 9.0)).schedule()
    late.optimizer.load_state_dict(first.optimizer.state_dict())
    late.scheduler.step(7)
    assert late.scheduler.get_last_lr() == rates[7]


def with_(key, value):
    return lambda saved: saved | {key: value}


def without(key):
    return lambda saved: {name: value for name, value in saved.items() if name != key}


def inside(key, name, value):
    return lambda saved: saved | {key: saved[key] | {name: value}}


NONSENSE = [
    (lambda saved: {}, r"^state_dict must be what state_dict\(\) returned: it has no 'kind'$"),
    (lambda saved: None, r"^state_dict must be what state_dict\(\) returned, got NoneType$"),
    (lambda saved: [saved], r"^state_dict must be what state_dict\(\) returned, got list$"),
    (lambda saved: {"base_lrs": [0.1, 0.4], "last_epoch": 3}, r"it has no 'kind'$"),
    *(
        (without(key), rf"it has no '{key}'$")
        for key in ("step", "observations", "state", "directions", "observed_at", "waiting", "fields")
    ),
    (with_("kind", "linear"), r"^kind must be hypergradient, to match this schedule, got 'linear'$"),
    (inside("fields", "beta", 0.5), r"^hypergradient.beta must be 0.001, to match this schedule, got 0.5$"),
    (inside("fields", "warmup", "5"), r"^hypergradient.warmup must be 0, to match this schedule, got '5'$"),
    (with_("fields", {}), r"^hypergradient.beta must be 0.001, to match this schedule, got None$"),
    (with_("fields", 3), r"^state_dict: fields must be a dict, got 3$"),
    (with_("total_steps", 13), r"^total_steps must be 12, to match this scheduler, got 13$"),
    (with_("steps_per_epoch", 4), r"^steps_per_epoch must be 3, to match this scheduler, got 4$"),
    (with_("total_steps", "12"), r"^state_dict: total_steps must be a whole number of at least 1, got '12'$"),
    *(
        (with_(key, value), rf"^state_dict: {key} must be a whole number of at least 0, got ")
        for key in ("step", "observations", "observed_at")
        for value in (-5, "soon", 1.5, None, True, math.nan, [3], torch.tensor([1, 2]))
    ),
    *(
        (with_(key, 10**30), rf"^state_dict: {key} must be at most 2\*\*53, got 1000")
        for key in ("step", "observed_at")
    ),
    (with_("waiting", 1), r"^state_dict: waiting must be True or False, got 1$"),
    (with_("base_lrs", [0.1]), r"^base_lrs must be one per parameter group \(2\), got 1$"),
    (with_("base_lrs", 0.1), r"^base_lrs must be one per parameter group \(2\), got 0.1$"),
    *(
        (with_("base_lrs", [0.1, value]), r"^base_lrs must be finite and at least 0, got ")
        for value in (math.nan, math.inf, -0.1, "0.1", None, True, 10**400, 10**5000)
    ),
    (with_("base_lrs", [0.1, 0.7]), r"^state_dict: state.base_lr must be that of base_lrs, got \[0.1, 0.4\]$"),
    (inside("state", "base_lr", torch.tensor([0.1, math.nan]).double()), r"^state_dict: state.base_lr must be that of"),
    (with_("base_lrs", [0.0, 0.0]), r"^base_lrs must have one above 0, got none$"),
    (with_("state", None), r"^state_dict: state must be a dict, got None$"),
    (with_("state", {}), r"^state_dict: state.base_lr must be a tensor \(2,\) of torch.float64, got None$"),
    (inside("state", "rate", 0.1), r"^state_dict: state.rate must be a tensor \(2,\) of torch.float64, got 0.1$"),
    (inside("state", "rate", torch.ones(3).double()), r"state.rate must be .*, got \(3,\) of torch.float64$"),
    (inside("state", "rate", torch.ones(2)), r"state.rate must be .*, got \(2,\) of torch.float32$"),
    (inside("state", "rate", torch.tensor([0.1, math.nan]).double()), r"^state_dict: state.rate must be finite, got"),
    (inside("state", "rate", torch.tensor([0.1, math.inf]).double()), r"^state_dict: state.rate must be finite, got"),
    (inside("state", "rate", torch.tensor([-0.1, 0.1]).double()), r"state gives group 0 the learning rate -"),
    (with_("directions", None), r"^state_dict: directions must be one per parameter \(0\), got NoneType$"),
    (with_("directions", [torch.ones(3)]), r"^state_dict: directions must be one per parameter \(2\), got 1$"),
    (
        with_("directions", [torch.ones(3), 1.0]),
        r"^state_dict: directions must be a tensor \(2,\) of torch.float32, got 1.0$",
    ),
    (
        with_("directions", [torch.ones(2), torch.ones(2)]),
        r"directions must be a tensor \(3,\) of torch.float32, got \(2,\)",
    ),
    *(
        (with_("directions", [torch.ones(3), torch.tensor([1.0, value])]), r"^state_dict: directions must be finite$")
        for value in (math.nan, -math.inf)
    ),
    (with_("directions", [torch.ones(3).half(), None]), r"directions must be .*, got \(3,\) of torch.float16$"),
]


@pytest.mark.parametrize(("spoil", "message"), NONSENSE)
def test_nonsense_is_refused_and_nothing_of_it_is_taken(spoil, message):
    first, second = Run("hypergradient").schedule(), Run("hypergradient").schedule()
    first.go(0, 5)
    expected = second.go(0, 3)
    with pytest.raises(ValueError, match=message) as raised:
        second.scheduler.load_state_dict(spoil(first.scheduler.state_dict()))
    assert "\n" not in str(raised.value)
    assert expected + second.go(3, UPDATES) == Run("hypergradient").schedule().go(0, UPDATES)


SPOILT = {
    "reduce_on_plateau": ({"factor": 0.5, "patience": 0, "cooldown": 1}, ["bad", "cooling"], [-1.0, 0.5, math.nan]),
    "greedy_lr": ({"factor": 0.5}, ["good", "bad", "cooling", "resting"], [-1.0, 0.5, math.nan]),
    "exp_loss": ({}, ["capped", "current", "loss"], [math.nan, -math.inf]),
    "exp_loss_relative": ({"gain": 1.0}, ["first", "loss"], [math.nan, math.inf]),
    "polyak": ({"c": 0.5}, ["current", "last"], [math.nan, math.inf, -math.inf, -1.0, 1.5]),
    "alig": ({}, ["current", "last", "base_lr"], [math.nan, math.inf, -1.0]),
    "l4": ({"alpha": 0.1}, ["current", "least"], [math.nan, math.inf, -math.inf]),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_rule_that_could_not_remember_this_refuses_it(kind):
    fields, names, values = SPOILT[kind]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields), UPDATES, EPOCH)
    saved = scheduler.state_dict()
    for name in names:
        for value in values:
            spoilt = {name: torch.full_like(saved["state"][name], value)}
            with pytest.raises(ValueError, match=r"^state_dict: state(\.\w+ must be| gives group 0 the)"):
                scheduler.load_state_dict(saved | {"state": saved["state"] | spoilt})
    scheduler.load_state_dict(saved)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("reduce_on_plateau", {"factor": 0.5, "patience": 0, "cooldown": 1}),
        ("reduce_on_plateau", {"factor": 0.5, "patience": 0, "cooldown": 1, "mode": "max"}),
        ("bold_driver", {"up": 1.1, "down": 0.5}),
        ("greedy_lr", {"factor": 0.5}),
        ("exp_loss", {"signal": "epoch"}),
        ("exp_loss_relative", {"gain": 1.0, "signal": "epoch"}),
        ("loss_ratio", {"power": 1.0, "signal": "epoch"}),
        ("exp_loss", {"signal": "ema"}),
    ],
)
def test_what_a_loss_that_is_not_finite_leaves_is_taken_up(kind, fields, loss):
    ours, again = (
        TorchScheduler(
            torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1), SCHEDULES[kind](**fields), UPDATES, 1
        )
        for _ in range(2)
    )
    for losses in ([1.0, loss], [loss, loss], [0.5]):
        for value in losses:
            if ours.schedule.when == "update":
                ours.observe(value)
            ours.optimizer.step()
            ours.step()
            if ours.schedule.when == "epoch":
                ours.observe(value)
        again.load_state_dict(ours.state_dict())
        assert again.get_last_lr() == ours.get_last_lr()


def test_numbers_of_other_libraries_are_numbers():
    np = pytest.importorskip("numpy")
    first, second = Run("cosine").schedule(), Run("cosine").schedule()
    first.go(0, 5)
    second.scheduler.load_state_dict(
        first.scheduler.state_dict() | {"step": np.int64(5), "total_steps": torch.tensor(12)}
    )
    assert second.scheduler.get_last_lr() == first.scheduler.get_last_lr()


def test_a_state_of_more_keys_is_taken():
    """A caller's own, such as KerasCallback's."""
    first, second = Run("cosine").schedule(), Run("cosine").schedule()
    first.go(0, 5)
    second.scheduler.load_state_dict(first.scheduler.state_dict() | {"best_accuracy": 0.9})
    assert second.go(5, 8) == first.go(5, 8)

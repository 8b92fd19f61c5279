"""One sweep of every kind that an answer must fit, with what it shows."""

from collections.abc import Callable
from functools import cache

import numpy as np

from decaybench.findings import Summary
from decaybench.findings.plan import retrained
from decaybench.store import Frames
from decaybench.sweep import Sweep
from frames_factory import change, make, named, summary_of

FIVE = {"constant": "constant", "cosine": "cosine", "linear": "linear", "exp_loss": "exp_loss", "rough": "exponential"}
APART = {"cosine": 0.005, "linear": 0.003, "exp_loss": -0.012, "constant": -0.05, "rough": -0.06}
TWO = {"cosine": "cosine", "again": "cosine"}
RESULTS = ("validation_accuracy", "validation_loss", "test_accuracy", "test_loss")


def under(frames: Frames, **tables: dict) -> Frames:
    """A copy with other values in tables of the sweep file."""
    spec = dict(frames.sweep["spec"])
    return frames._replace(
        sweep=frames.sweep | {"spec": spec | {name: spec[name] | values for name, values in tables.items()}}
    )


def at(frames: Frames, status: str) -> Frames:
    return frames._replace(sweep=frames.sweep | {"status": status})


def wide(frames: Frames) -> Frames:
    """A copy whose test results vary so much between repeats that nothing is shown."""
    rough = np.random.default_rng(0)
    runs = frames.runs.copy()
    shift = {key: rough.normal(0, 0.03) for key in sorted(set(zip(runs.strategy, runs.repeat, strict=True)))}
    own = [shift[key] for key in zip(runs.strategy, runs.repeat, strict=True)]
    runs["test_accuracy"] = (runs.test_accuracy + own).clip(0, 1).round(3)
    return frames._replace(runs=runs)


def not_settled() -> Summary:
    return summary_of(wide(make(diverge=0.0, repeats=12, rope=0.01)))


def finished_without_a_pick() -> Summary:
    return summary_of(wide(make(diverge=0.0, repeats=12, rope=0.01, until="end")))


def time_limit() -> Summary:
    return summary_of(at(wide(make(diverge=0.0, repeats=9, to=40, rope=0.01)), "stopped"))


def unfinished() -> Summary:
    frames = wide(make(diverge=0.0, repeats=9, to=40, rope=0.01, confirmed=False))
    frames = change(frames, lambda r: (r.repeat > 7) & (r.strategy == "exp_loss"), outcome=None)
    frames = change(frames, lambda r: (r.repeat == 7) & (r.strategy == "exp_loss"), outcome="failed")
    return summary_of(at(frames, "running"))


def same_runs() -> Summary:
    """Two labels of one strategy, whose trials are the same runs."""
    frames = make(TWO, diverge=0.0)
    runs = frames.runs.sort_values(["strategy", "repeat", "slot"])
    first, second = (runs.index[(runs.strategy == label) & (runs.phase == "search")] for label in TWO)
    runs.loc[second, list(RESULTS)] = runs.loc[first, list(RESULTS)].to_numpy()
    return summary_of(frames._replace(runs=runs.sort_index()))


def fragile() -> Summary:
    """The pick fails in retraining, and the next one never does."""
    frames = make(skill=APART, strategies=FIVE, diverge=0.0, rope=0.01)
    pick = summary_of(frames).pick()
    assert pick is not None and pick.retrained is not None
    failed = [run.id for run in pick.retrained.choosing[-2:]]
    return summary_of(change(frames, lambda r: r.id.isin(failed), outcome="diverged"))


def adaptive() -> Summary:
    """The best configurations of all strategies together retrained."""
    frames = under(make(diverge=0.0, trials=2, skill={"cosine": 0.02}), search={"sampler": "tpe", "batch": 2})
    frames = under(frames, search={"allocation": "adaptive"})
    after = {run.id for run in retrained(Sweep.from_mapping(frames.sweep["spec"], "s"), summary_of(frames))}
    return summary_of(frames._replace(runs=frames.runs[(frames.runs.phase == "search") | frames.runs.id.isin(after)]))


def pruned() -> Summary:
    """The worst trial of each repeat was stopped half-way, and the one before it was spared."""
    frames = under(make(diverge=0.0, rope=0.02), search={"prune": {"at": 0.5, "spare": 0.5}})
    places = frames.runs.groupby(["phase", "strategy", "repeat"]).validation_accuracy.rank(method="first")
    search = frames.runs.phase == "search"
    frames = change(frames, lambda r: search & (places == 1), pruned="stopped", test_accuracy=None, test_loss=None)
    return summary_of(change(frames, lambda r: search & (places == 2), pruned="spared"))


def joined() -> Summary:
    fixed, reactive = {"constant": "constant", "cosine": "cosine"}, {"constant": "constant", "exp_loss": "exp_loss"}
    return summary_of(named(make(fixed, diverge=0.0), "fixed"), named(make(reactive, diverge=0.0), "reactive"))


def unequal() -> Summary:
    fixed, reactive = {"constant": "constant", "cosine": "cosine"}, {"constant": "constant", "exp_loss": "exp_loss"}
    other = make(reactive, trials=7, diverge=0.0)
    return summary_of(named(make(fixed, diverge=0.0), "fixed"), named(other, "reactive"))


def not_started() -> Summary:
    frames = change(make(confirmed=False), lambda r: r.slot >= 0, outcome=None)
    return summary_of(at(frames, "running"))


def before_the_first_look() -> Summary:
    frames = change(make(confirmed=False, diverge=0.0), lambda r: r.repeat > 3, outcome=None)
    return summary_of(at(frames, "running"))


CASES: dict[str, Callable[[], Summary]] = {
    "settled": lambda: summary_of(make(FIVE, skill=APART, rope=0.01, to=12)),
    "not_settled": not_settled,
    "finished_without_a_pick": finished_without_a_pick,
    "time_limit": time_limit,
    "one_strategy": lambda: summary_of(make({"cosine": "cosine"}, diverge=0.0)),
    "two_equals": lambda: summary_of(make(TWO, diverge=0.0, rope=0.01)),
    "same_runs": same_runs,
    "all_diverged": lambda: summary_of(make(diverge=9.0)),
    "some_diverged": lambda: summary_of(make(diverge=0.3)),
    "fragile": fragile,
    "adaptive": adaptive,
    "joined": joined,
    "unequal": unequal,
    "lengths": lambda: summary_of(make(lengths=(0.5, 1.0), metric="loss", skill={"cosine": 0.02}, rope=0.02)),
    "few_repeats": lambda: summary_of(make(repeats=3)),
    "few_trials": lambda: summary_of(make(trials=3)),
    "unfinished": unfinished,
    "not_started": not_started,
    "before_the_first_look": before_the_first_look,
    "tpe": lambda: summary_of(under(make(rope=0.02), search={"sampler": "tpe"})),
    "pruned": pruned,
    "control": lambda: summary_of(under(make(FIVE, skill=APART, rope=0.01), decide={"control": True})),
    "all_ruled_out_but_one": lambda: summary_of(make(skill={"constant": -0.08, "exp_loss": -0.06}, rope=0.005)),
}


@cache
def scenario(name: str) -> Summary:
    """The summary of a case, made once per process."""
    return CASES[name]()

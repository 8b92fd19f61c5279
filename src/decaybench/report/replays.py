"""What replays say: does reacting help, or only the learning rates that it came to?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench import compare
from decaybench.compare import Judged
from decaybench.report import words
from decaybench.report.results import Results

_DIGITS = 12  # means of the same fractions in another order differ in the 16th digit: they are equal


class Replay(NamedTuple):
    """A reactive strategy against its replay at one length.

    ``differences`` (R,) are in the metric's unit and positive where reacting is better: a repeat's mean over the
    confirm seeds on which both were trained, NaN for a repeat without one.
    """

    label: str
    differences: NDArray[np.float64]
    judged: Judged


def replays(results: Results, length: float) -> list[Replay]:
    """Every strategy that was replayed at the length, in the sweep file's order, judged as one family.

    A replay's ``seed`` is the confirm seed that it was trained on, with the learning rates that another one's run had.
    There is no verdict while a replay is missing.
    """
    labels = [s.label for s in results.strategies if any(run.done for run in results.of("replay", s.label, length))]
    differences = [_differences(results, label, length) for label in labels]
    planned = results.repeats * results.confirm_seeds
    done = {label: sum(run.done for run in results.of("replay", label, length)) for label in labels}
    gaps = [f"{label} has {n} of {words.count(planned, 'replay')}" for label, n in done.items() if n < planned]
    judged = compare.judge(
        [d[np.isfinite(d)] for d in differences],
        results.rope,
        lambda size: words.gap(results.metric, size),
        withheld=", ".join(gaps) or None,
    )
    return [Replay(*each) for each in zip(labels, differences, judged, strict=True)]


def _differences(results: Results, label: str, length: float) -> NDArray[np.float64]:
    """(R,) a repeat's mean over seeds of reactive minus replay, for a loss the other way round."""
    sign = 1 if results.metric == "accuracy" else -1
    reactive = {
        (run.repeat, run.seed): value
        for run in results.of("confirm", label, length)
        if (value := run.value("test", results.metric)) is not None
    }
    found: list[list[float]] = [[] for _ in range(results.repeats)]
    for run in results.of("replay", label, length):
        value, own = run.value("test", results.metric), reactive.get((run.repeat, run.seed))
        if value is not None and own is not None:
            found[run.repeat].append(sign * (own - value))
    return np.array([round(float(np.mean(each)), _DIGITS) if each else np.nan for each in found])

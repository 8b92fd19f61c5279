"""Time to the control's final loss, and the share of repeats among the best."""

import math

import numpy as np
import pytest

from decaybench.findings.time_to_target import times_to_target
from frames_factory import THREE, change, make, ordered, scored, summary_of

SCORES = {
    "constant": [0.90] * 6,
    "cosine": [0.95, 0.95, 0.95, 0.95, 0.80, 0.80],
    "exp_loss": [0.947, 0.945, 0.93, 0.93, 0.93, 0.93],
}


def by_label(frames, length=1.0):
    return {pace.label: pace for pace in times_to_target(summary_of(frames), length)}


def with_curves(frames, label, losses):
    """Every best trial of the label has these validation losses, epoch by epoch."""
    last = (frames.runs.phase == "search") & (frames.runs.slot == 5)
    runs = frames.runs[last & (frames.runs.strategy == label)]
    epochs = frames.epochs.copy()
    for run_id in runs["id"]:
        at = epochs["run_id"] == run_id
        epochs.loc[at, "validation_loss"] = losses[: at.sum()]
    frames = change(frames, lambda r: r["id"].isin(runs["id"]), validation_loss=losses[-1])
    return frames._replace(epochs=epochs)


def test_updates_until_the_controls_end() -> None:
    frames = ordered(scored(make(diverge=0.0, rope=0.006), SCORES))
    frames = with_curves(frames, "constant", [1.0, 0.9, 0.8, 0.7, 0.6, 0.55, 0.52, 0.5])
    frames = with_curves(frames, "cosine", [1.0, 0.8, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3])
    frames = with_curves(frames, "exp_loss", [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.51])
    found = by_label(frames)
    assert {label: (pace.reached, pace.runs, pace.updates) for label, pace in found.items()} == {
        "constant": (6, 6, 8 * 19),
        "cosine": (6, 6, 3 * 19),
        "exp_loss": (0, 6, math.inf),
    }


def test_the_share_of_repeats_among_the_best() -> None:
    found = by_label(ordered(scored(make(diverge=0.0, rope=0.006), SCORES)))
    assert {label: pace.steady for label, pace in found.items()} == {
        "constant": pytest.approx(0.0),
        "cosine": pytest.approx(4 / 6),
        "exp_loss": pytest.approx(4 / 6),  # in two repeats within the margin, in two the best
    }


def test_without_a_control_there_is_no_target_and_without_a_comparison_no_pace() -> None:
    found = by_label(make({"a": "cosine", "b": "exp_loss"}))
    assert {pace.reached for pace in found.values()} == {None} and len(found) == 2
    assert by_label(make({"cosine": "cosine"})) == {}


def test_before_there_is_a_margin_there_is_no_profile() -> None:
    frames = change(make(THREE, diverge=0.0), lambda r: r.repeat == 1, outcome=None, test_accuracy=np.nan)
    assert {pace.steady for pace in by_label(frames).values()} == {None}

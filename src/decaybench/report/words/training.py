"""How runs were trained, where the sweep file sets more than the defaults."""

from __future__ import annotations

from decaybench.findings.sweep import Sweep
from decaybench.report.words.numbers import listed


def training(sweep: Sweep) -> str:
    """The settings that are off by default and what they change in the report, as sentences; empty if all are off."""
    task = sweep.parts[0].file.task  # joined sweeps have one task
    averages = [arm.average for arm in sweep.arms.values() if arm.average is not None]
    sentences = []
    if options := task.options(task.average):
        sentences.append(f"All strategies are trained with {listed(options)}.")
    if task.augment is not None:
        sentences.append("Training losses are those of augmented images.")
        sentences.append("Validation and test use the images as they are.")
    if task.label_smoothing is not None:
        sentences.append("Rules observe, and the figures show, the loss without label smoothing.")
    if task.clip_norm is not None:
        sentences.append("Rules observe gradients before they are clipped.")
    if averages:
        sentences.append("Where weights are averaged, validation and test use the average.")
    return " ".join(sentences)

"""The sweep that results belong to, from its file and the database; or several sweeps of one task, read as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from decaybench.compare import Until
from decaybench.errors import UserError
from decaybench.findings.selection import Chance, chance_of

if TYPE_CHECKING:
    from decaybench.sweep import Arm, Search, Size, Task
    from decaybench.sweep import Sweep as File

NO_SCHEDULE = "no schedule"


class Strategy(NamedTuple):
    """A strategy; ``control`` is true for the baselines, those of kind ``constant``.

    ``family`` is that of its schedule, or "no schedule" for an optimizer or an average that may replace one and is used
    without one. ``method`` is the optimizer and the average, in words.
    """

    label: str
    schedule: str
    family: str
    method: str = "sgd"

    @property
    def control(self) -> bool:
        return self.schedule == "constant" and self.family == "fixed"


class Rules(NamedTuple):
    """Looks are taken from ``start`` repeats up to ``to``, ``until`` there is an answer.

    Only pairs with the ``control`` are tested where it names a strategy.
    """

    start: int
    to: int
    until: Until
    control: str | None


@dataclass(frozen=True)
class Part:
    """One sweep: its row in the database, and its file.

    ``spec`` and ``provenance`` are as they were stored, perhaps by an older version. ``labels`` maps a strategy's label
    in the file to its label in the joined sweep.
    """

    name: str
    question: str
    status: str
    spec: Mapping[str, Any]
    spec_hash: str
    provenance: Mapping[str, Any]
    file: File
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Sweep:
    """One sweep, or several that `join` found to have the same task, splits, budget and search.

    Joined sweeps may differ in their questions, numbers of trials, ranges of shared parameters, and in provenance that
    does not affect results. A label that several of them use becomes NAME.LABEL.
    """

    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        return "+".join(part.name for part in self.parts)

    @property
    def question(self) -> str:
        return " / ".join(dict.fromkeys(part.question for part in self.parts if part.question))

    @property
    def complete(self) -> bool:
        return all(part.status == "complete" for part in self.parts)

    @property
    def joined(self) -> bool:
        return len(self.parts) > 1

    @property
    def task(self) -> Task:
        return self.parts[0].file.task

    @property
    def search(self) -> Search:
        """How configurations were proposed. Ranges of shared parameters may differ between parts: see ``arms``."""
        return self.parts[0].file.search

    @property
    def metric(self) -> str:
        return self.task.metric

    @property
    def lengths(self) -> tuple[float, ...]:
        return self.parts[0].file.budget.lengths

    @property
    def rules(self) -> Rules:
        """How the sweep decides. Joined sweeps share them, but have no control in common."""
        file = self.parts[0].file
        control = next((s.label for s in self.strategies if s.control), None) if file.decide.control else None
        repeats = file.budget.repeats
        return Rules(repeats.start, repeats.to, file.decide.until, None if self.joined else control)

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared one budget of trials, so that nothing here is a comparison."""
        from decaybench.sweep import shares_slots

        return shares_slots(self.parts[0].file)

    @cached_property
    def chance(self) -> Chance:
        """The result of guessing, by metric; metrics that are missing in the provenance of all parts are left out."""
        return {metric: value for part in reversed(self.parts) for metric, value in chance_of(part.provenance).items()}

    @property
    def steps_per_epoch(self) -> int | None:
        """Updates per epoch; None if the provenance does not say."""
        return self.parts[0].provenance.get("steps_per_epoch")

    def examples(self, split: str) -> int:
        """The number of examples in a split; 0 if the provenance does not say."""
        return int((self.parts[0].provenance.get("examples") or {}).get(split) or 0)

    @cached_property
    def arms(self) -> Mapping[str, Arm]:
        """Every strategy's arm (its schedule and search space) from its own file, by its label in this sweep."""
        from decaybench.sweep import arms

        return {part.labels[arm.label]: arm for part in self.parts for arm in arms(part.file)}

    @cached_property
    def strategies(self) -> tuple[Strategy, ...]:
        return strategies(self.arms)

    def trials(self, label: str) -> int:
        """The trials of a strategy per repeat and length; of an adaptive sweep, those of all strategies together."""
        from decaybench.sweep import all_slots

        file = self._file(label)
        return all_slots(file) if self.adaptive else file.budget.trials

    def confirm_seeds(self, *, further: bool) -> tuple[int, ...]:
        """The seeds of the runs that choose a configuration, or of the ``further`` ones that are reported."""
        from decaybench.sweep import confirm_seeds

        return confirm_seeds(self.parts[0].file, further=further)

    def size(self, length: float) -> Size | None:
        """The updates and epochs of a run; None if the provenance does not say how many updates an epoch has."""
        from decaybench.sweep import Size

        steps, epochs = self.steps_per_epoch, self.parts[0].file.epochs(length)
        return None if steps is None else Size(steps, epochs, steps * epochs)

    def _file(self, label: str) -> File:
        return next(part.file for part in self.parts if label in part.labels.values())


def read_sweeps(rows: Sequence[Mapping[str, Any]]) -> Sweep:
    """The sweeps in these rows of the table ``sweeps``; UserError for one that this version can no longer read."""
    from decaybench.sweep import Sweep as File
    from decaybench.sweep import require_current

    for row in rows:
        require_current(row["spec"])
        _require_kinds(row["spec"])
    files = [File.from_mapping(row["spec"], f"sweep {row['name']}") for row in rows]
    times = Counter(label for file in files for label in file.strategies)  # a label has no dot
    return Sweep(
        tuple(
            Part(
                name=row["name"],
                question=row["question"],
                status=row["status"],
                spec=row["spec"],
                spec_hash=row["spec_hash"],
                provenance=row["provenance"] or {},
                file=file,
                labels={label: label if times[label] == 1 else f"{row['name']}.{label}" for label in file.strategies},
            )
            for row, file in zip(rows, files, strict=True)
        )
    )


def strategies(arms: Mapping[str, Arm]) -> tuple[Strategy, ...]:
    """The strategies of these arms, which are keyed by label."""

    def family(arm: Arm) -> str:
        return NO_SCHEDULE if arm.kind == "constant" and not arm.control else arm.family

    return tuple(Strategy(label, arm.kind, family(arm), arm.method) for label, arm in arms.items())


def _require_kinds(spec: Mapping[str, Any]) -> None:
    """UserError for a kind of schedule that is not installed here, for example one of another package."""
    from decaybench.schedules import SCHEDULES

    for label, entry in spec["strategies"].items():
        if (kind := entry["schedule"]) not in SCHEDULES:
            raise UserError(f"sweep {spec['name']}: strategies.{label}.schedule: kind {kind!r} is not installed here")

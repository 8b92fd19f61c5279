"""What results are of: a sweep as its file and the database have it, or several of one task read as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from decaybench.compare import rope
from decaybench.errors import UserError
from decaybench.metrics import METRICS

if TYPE_CHECKING:
    from decaybench.sweep import Arm, Search, Size, Task
    from decaybench.sweep import Sweep as File

NO_SCHEDULE = "no schedule"


class Strategy(NamedTuple):
    """A strategy in the sweep file's order; ``control`` marks those of kind ``constant``.

    ``family`` is that of its schedule, or "no schedule" where an ``optimizer`` that promises to need none has none.
    """

    label: str
    schedule: str
    family: str
    optimizer: str = "sgd"

    @property
    def control(self) -> bool:
        return self.schedule == "constant" and self.family == "fixed"


@dataclass(frozen=True)
class Part:
    """One sweep: its row in the database, its file, and what its strategies are called here, by their labels there.

    ``spec`` and ``provenance`` are as they were stored, by an older version perhaps.
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
    """The one sweep, or the several, which `join` found to be of one task, split, budget and search.

    They may differ in question, numbers of trials, the ranges that their strategies share, and in provenance where it
    says nothing of the results. A label that several of them have is NAME.LABEL here.
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
        """How settings were proposed; what strategies share may be searched otherwise in another part: ask ``arms``."""
        return self.parts[0].file.search

    @property
    def metric(self) -> str:
        return self.task.metric

    @property
    def lengths(self) -> tuple[float, ...]:
        return self.parts[0].file.budget.lengths

    @property
    def repeats(self) -> int:
        return self.parts[0].file.budget.repeats

    @property
    def confirm_seeds(self) -> int:
        return self.parts[0].file.budget.confirm_seeds

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared their slots: then nothing here is a comparison."""
        from decaybench.sweep import shares_slots

        return shares_slots(self.parts[0].file)

    @cached_property
    def rope(self) -> float:
        """The sweep's own smallest difference that matters, else the protocol's for its test split."""
        return rope(self.metric, self.examples("test") or 1000, self.task.rope)  # so many and more make no difference

    @cached_property
    def chance(self) -> Mapping[str, float]:
        """What guessing gives, by metric; without those that the provenance does not say."""
        known = self.parts[0].provenance
        found = {metric: known.get(f"chance_{metric}") for metric in METRICS}
        return {metric: float(value) for metric, value in found.items() if value is not None}

    @property
    def steps_per_epoch(self) -> int | None:
        """None where provenance does not say how many updates an epoch has."""
        return self.parts[0].provenance.get("steps_per_epoch")

    def examples(self, split: str) -> int:
        """How many examples the split has, 0 where provenance does not say."""
        return int((self.parts[0].provenance.get("examples") or {}).get(split) or 0)

    @cached_property
    def arms(self) -> Mapping[str, Arm]:
        """Every strategy with what is searched of it, by its label here; each as its own file has it."""
        from decaybench.sweep import arms

        return {part.labels[arm.label]: arm for part in self.parts for arm in arms(part.file)}

    @cached_property
    def strategies(self) -> tuple[Strategy, ...]:
        return strategies(self.arms)

    def slots(self, label: str) -> int:
        """Slots of a strategy per repeat and length: one where it has nothing to search."""
        from decaybench.sweep import slots

        return slots(self._file(label), self.arms[label])

    @property
    def slots_in_all(self) -> int:
        """Slots of all strategies together, over all repeats and lengths."""
        from decaybench.sweep import all_slots

        return sum(all_slots(part.file) for part in self.parts) * self.repeats * len(self.lengths)

    def replays(self, label: str) -> int:
        """Replay runs of a strategy per repeat and length."""
        from decaybench.sweep import replays_each

        return replays_each(self._file(label))[self.arms[label].label]

    def size(self, length: float) -> Size | None:
        """How long a run is; None where provenance does not say how many updates an epoch has."""
        from decaybench.sweep import Size

        steps, epochs = self.steps_per_epoch, self.parts[0].file.epochs(length)
        return None if steps is None else Size(steps, epochs, steps * epochs)

    def _file(self, label: str) -> File:
        return next(part.file for part in self.parts if label in part.labels.values())


def read_sweeps(rows: Sequence[Mapping[str, Any]]) -> Sweep:
    """The sweeps of these rows of the table ``sweeps``; UserError for one that is no sweep here any more."""
    from decaybench.sweep import Sweep as File

    for row in rows:
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
    """The strategies of these arms, which are listed by what they are called."""
    from decaybench.optimizers import OPTIMIZERS

    def family(arm: Arm) -> str:
        return arm.family if arm.kind != "constant" or OPTIMIZERS[arm.optimizer].needs_schedule else NO_SCHEDULE

    return tuple(Strategy(label, arm.kind, family(arm), arm.optimizer) for label, arm in arms.items())


def _require_kinds(spec: Mapping[str, Any]) -> None:
    """UserError for a kind of schedule that was there when the sweep ran, and is not installed here."""
    from decaybench.schedules import SCHEDULES

    for label, entry in spec["strategies"].items():
        if (kind := entry["schedule"]) not in SCHEDULES:
            raise UserError(f"sweep {spec['name']}: strategies.{label}.schedule: kind {kind!r} is not installed here")

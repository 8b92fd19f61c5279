"""The kinds there are: the package's own, and those that other packages add through entry points."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points

from decaybench.errors import UserError
from decaybench.schedules.base import Schedule

GROUP = "decaybench.schedules"


class Registry(Mapping[str, type[Schedule]]):
    """Name -> class. Entry points are looked at when all are listed or an unknown name is asked for."""

    def __init__(self, *built_in: type[Schedule]) -> None:
        self._built_in = {schedule.kind: schedule for schedule in built_in}

    @cached_property
    def _all(self) -> dict[str, type[Schedule]]:
        found = dict(self._built_in)
        for entry in entry_points(group=GROUP):
            if entry.name in found:
                raise UserError(f"{GROUP}: entry point {entry.name} = {entry.value} takes a name that is in use")
            schedule = entry.load()
            if not (isinstance(schedule, type) and issubclass(schedule, Schedule)):
                raise UserError(f"{GROUP}: entry point {entry.name} = {entry.value} is not a Schedule class")
            found[entry.name] = schedule
        return found

    def __getitem__(self, name: str) -> type[Schedule]:
        return self._built_in[name] if name in self._built_in else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

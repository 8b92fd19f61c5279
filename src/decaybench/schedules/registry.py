"""The registry of kinds: the package's own, and those that other packages add through entry points."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from decaybench import plugins
from decaybench.errors import UserError
from decaybench.schedules.base import Schedule

GROUP = "decaybench.schedules"


class Registry(Mapping[str, type[Schedule]]):
    """Maps the name of each kind to its class.

    Entry points are loaded only when all kinds are listed or an unknown name is looked up. One that cannot be used is
    not listed: it is in ``unusable``, and looking it up raises UserError.
    """

    def __init__(self, *built_in: type[Schedule]) -> None:
        self._built_in = {schedule.kind: schedule for schedule in built_in}

    @property
    def unusable(self) -> Mapping[str, str]:
        """Maps the name of each entry point that cannot be used to the reason, in one line."""
        return self._all[1]

    @cached_property
    def _all(self) -> tuple[dict[str, type[Schedule]], dict[str, str]]:
        found, unusable = dict(self._built_in), {}
        for entry in entry_points(group=GROUP):
            try:
                schedule = _schedule(entry, taken=entry.name in found)
            except UserError as broken:
                unusable[entry.name] = str(broken)
            else:
                found[entry.name] = schedule
        return found, unusable

    def refusal(self, name: object) -> str:
        """Why ``name`` is refused: it is unknown. This names the kind that it resembles, or else all kinds."""
        near = get_close_matches(name, self, n=1) if isinstance(name, str) else []
        if near:
            return f"unknown kind {name!r}; did you mean {near[0]!r}? `decaybench schedules` lists all kinds"
        return f"must be one of {', '.join(self)}, got {name!r}"

    def __getitem__(self, name: str) -> type[Schedule]:
        if name in self._built_in:
            return self._built_in[name]
        found, unusable = self._all
        if name not in found and name in unusable:
            raise UserError(unusable[name])
        return found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all[0])

    def __len__(self) -> int:
        return len(self._all[0])


def _schedule(entry: EntryPoint, *, taken: bool) -> type[Schedule]:
    if taken:
        raise UserError(f"{GROUP}: entry point {entry.name} = {entry.value} takes a name that is in use")
    schedule = plugins.load(entry)
    if not (isinstance(schedule, type) and issubclass(schedule, Schedule)):
        raise UserError(f"{GROUP}: entry point {entry.name} = {entry.value} is not a Schedule class")
    return schedule

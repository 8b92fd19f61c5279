"""Which model is trained, as plain data."""

from dataclasses import dataclass

Option = str | int | float | bool


@dataclass(frozen=True)
class Model:
    """A name in ``MODELS``, and arguments for its builder in the order of the sweep file."""

    name: str
    options: tuple[tuple[str, Option], ...] = ()

    def table(self) -> str | dict[str, Option]:
        """The same as in a sweep file."""
        return {"name": self.name, **dict(self.options)} if self.options else self.name

    def __str__(self) -> str:
        """In words."""
        shown = ", ".join(f"{name} {value}" for name, value in self.options)
        return f"{self.name} ({shown})" if shown else self.name

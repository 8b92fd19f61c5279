"""The arguments and options that several commands share."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Final

import typer

from decaybench.cli import completion

SweepArgument = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP", help="A sweep file, or the name of a shipped sweep.", autocompletion=completion.sweeps
    ),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The database. Default: $DECAYBENCH_STORAGE, or sqlite:///studies/decaybench.db.",
        show_default=False,
    ),
]
# Paths stay strings: a Path would turn ./~ into ~, the home folder.
DataOption = Annotated[
    str | None,
    typer.Option(
        path_type=str,
        metavar="DIR",
        help="The folder that holds the image folders. Default: $DECAYBENCH_DATA.",
        show_default=False,
    ),
]
DeviceOption = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to train.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
TAKE_URLS: Final = ("--storage", "--scheduler")


def without_urls(given: Sequence[str]) -> Iterator[str]:
    """The arguments without the values of the options that take a URL, parsed as click does.

    An option's value is the next argument, even if that is an option. After ``--``, there are no options.
    """
    rest = iter(given)
    for argument in rest:
        if argument in TAKE_URLS:
            next(rest, None)
        elif not argument.startswith(tuple(f"{option}=" for option in TAKE_URLS)):
            yield argument
            if argument == "--":
                yield from rest
            elif argument.startswith("--") and "=" not in argument and argument != "--json":
                yield from islice(rest, 1)

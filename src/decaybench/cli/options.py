"""The arguments and options that several commands share, and those of `run` and `work`."""

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
StudiesOption = Annotated[
    str,
    typer.Option(path_type=str, metavar="DIR", help="The folder for reports, which are written to DIR/NAME/report."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Number of training processes, or of SLURM's jobs at once. Default: one per core, if the sweep is "
        "long enough.",
    ),
]
ExecutorOption = Annotated[
    str,
    typer.Option(
        metavar="local|work|dask|slurm",
        help="Who trains: processes of this machine, whoever runs `decaybench work`, a Dask cluster, or SLURM.",
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="The Dask scheduler, such as tcp://HOST:8786 (--executor dask).", show_default=False
    ),
]
TimeLimitOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="End the search after this time, such as 40m or 1h30m; retraining and the report still follow.",
        show_default=False,
    ),
]
WorkerNameOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The worker's name in `decaybench status`. Default: HOST:PID."),
]
IdleOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Leave after so long without work. Default: never.", show_default=False),
]
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

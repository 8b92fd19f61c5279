"""The arguments and options that several commands share."""

from typing import Annotated

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

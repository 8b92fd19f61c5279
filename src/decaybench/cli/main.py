"""The commands and their exit codes.

0: done. 2: an error that the user can fix (one line on stderr). 130: interrupted. 1: anything else.
"""

import atexit
import gc
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Annotated

import typer

from decaybench.cli import completion
from decaybench.cli.options import (
    DataOption,
    DeviceOption,
    ExecutorOption,
    IdleOption,
    JsonOption,
    SchedulerOption,
    StorageOption,
    StudiesOption,
    SweepArgument,
    TimeLimitOption,
    WorkerNameOption,
    WorkersOption,
    without_urls,
)
from decaybench.errors import MachineError, UserError
from decaybench.paths import typed

app = typer.Typer(
    name="decaybench",
    help="Find out by experiment how fixed and loss-reactive learning-rate schedules compare.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        print(f"decaybench {version('decaybench')}")
        raise typer.Exit


@app.callback()
def decaybench(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Find out by experiment how fixed and loss-reactive learning-rate schedules compare."""


@app.command()
def run(
    sweep: SweepArgument,
    storage: StorageOption = None,
    studies: StudiesOption = "studies",
    data: DataOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    executor: ExecutorOption = "local",
    scheduler: SchedulerOption = None,
    time_limit: TimeLimitOption = None,
) -> None:
    """Train the missing runs of a sweep until it has an answer, write its report and print the answer."""
    from decaybench import api
    from decaybench.cli.run import Live, seconds

    limit = None if time_limit is None else seconds(time_limit)
    with Live() as live:
        outcome = api.run(
            sweep,
            storage=storage,
            studies=studies,
            data=data,
            device=device,
            workers=workers,
            executor=executor,
            scheduler=scheduler,
            time_limit=limit,
            watcher=live,
        )
    # A run that trains nothing has nothing to add, even to a sweep that used up its repeats without an answer.
    done = outcome.settled or (outcome.complete and not outcome.trained)
    print(f"{outcome.name}: {'complete' if done else 'not settled'}")
    print(f"\n{outcome.answer}\n\nreport: {typed(outcome.report)}")


@app.command()
def work(
    storage: StorageOption = None,
    data: DataOption = None,
    device: DeviceOption = "auto",
    name: WorkerNameOption = None,
    idle: IdleOption = None,
) -> None:
    """Train for sweeps that are run with --executor work on the same database, until SIGTERM, SIGINT or SIGUSR1."""
    from decaybench import api

    say = partial(print, file=sys.stderr, flush=True)
    try:
        api.work(storage=storage, data=data, device=device, name=name, idle=idle, say=say)
    except KeyboardInterrupt:
        _leave("left; another worker continues what this one was training", INTERRUPTED)


@app.command()
def check(
    sweep: SweepArgument,
    storage: StorageOption = None,
    data: DataOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Check a sweep and print its plan: trials per strategy, looks, and its least, likely and greatest cost."""
    from decaybench.cli import check as plan

    plan.show(sweep, storage=storage, data=data, device=device, as_json=as_json)


@app.command()
def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Sweeps in the database.", show_default=False)],
    storage: StorageOption = None,
    out: Annotated[
        str | None,
        typer.Option(
            path_type=str,
            metavar="DIR",
            help="The folder for the report. Default: studies/NAME/report, or studies/NAME+NAME/report.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Rebuild the report of a sweep from the database, or join several sweeps of one task into one report."""
    from decaybench import api

    summary = api.report(*names, storage=storage, out=out)
    print(f"{'+'.join(names)}: {typed(summary.index)}")


@app.command()
def verify(
    folder: Annotated[
        str, typer.Argument(path_type=str, metavar="DIR", help="The folder of a report.", show_default=False)
    ],
    storage: StorageOption = None,
) -> None:
    """Recompute a report from its database; print "verified", or print what differs and exit with 1."""
    from decaybench import api

    found = api.verify(folder, storage=storage)
    if not found.differences:
        print(f"{folder}: verified ({found.files} files, {found.runs} rows of runs)")
        return
    print(f"{folder}: not verified", *found.differences, sep="\n")
    raise typer.Exit(1)


@app.command()
def status(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show this sweep in full.", show_default=False)
    ] = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sweeps in the database, or show the progress of one sweep and where its strategies stand."""
    from decaybench.cli import status as view

    view.show(name, storage=storage, as_json=as_json)


@app.command()
def schedules(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]", help="Show this schedule in full.", show_default=False, autocompletion=completion.kinds
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            path_type=str,
            metavar="FILE",
            help="Draw the curve (without KIND: all curves) to this .svg, .png or .pdf file.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List all schedules, or show one with its formula, parameters, ranges, pitfalls, source and curve."""
    from decaybench.cli import schedules as catalogue

    catalogue.show(kind, as_json=as_json, plot=plot)


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A sweep in the database.", show_default=False)],
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="The strategy to export. Default: the one to take, or else the leader.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="torch|keras|toml|all",
            help="Code for PyTorch or Keras 3, a sweep file that retrains it, or all three.",
            autocompletion=completion.formats,
        ),
    ] = "torch",
    storage: StorageOption = None,
    out: Annotated[
        str | None,
        typer.Option(path_type=str, metavar="FILE", help="Write to this file instead of stdout.", show_default=False),
    ] = None,
) -> None:
    """Print the best configuration as code to paste: optimizer, learning rate and schedule."""
    from decaybench.cli import export as code

    code.show(name, strategy=strategy, target=target, storage=storage, out=out)


@app.command()
def dashboard(
    storage: StorageOption = None,
    port: Annotated[int, typer.Option(metavar="N", help="The port on 127.0.0.1; 0 picks any free port.")] = 8080,
) -> None:
    """Serve the studies in optuna-dashboard to this machine only, until Ctrl-C."""
    from decaybench.cli import dashboard as server

    server.serve(storage=storage, port=port)


@app.command()
def backup(
    file: Annotated[str, typer.Argument(path_type=str, metavar="FILE", help="A new file.", show_default=False)],
    storage: StorageOption = None,
) -> None:
    """Copy the database to a new file and check the copy, even while sweeps are running."""
    from decaybench.cli import backup as copy

    copy.write(file, storage=storage)


@app.command()
def upgrade(storage: StorageOption = None) -> None:
    """Give a database of an older decaybench the tables of this one, after a backup beside it; `run` does so too."""
    from decaybench.cli import upgrade as tables

    tables.show(storage=storage)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # Nearly all objects that a command loads live until it ends, so searching them for garbage often is in vain.
    gc.set_threshold(20_000)
    atexit.register(gc.freeze)  # else Python would search all of them once more before it exits
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # handled like Ctrl-C: nothing half-written, resumable
    given = list(sys.argv[1:] if arguments is None else arguments)
    if any("://" in argument for argument in without_urls(given)):
        # typer's message would repeat the URL, and it may hold a password.
        _leave("error: unexpected URL; give a database's URL with --storage URL", 2)
    try:
        code = typer.main.get_command(app).main(given or ["--help"], prog_name="decaybench", standalone_mode=False)
    except UserError as error:
        _leave(f"error: {error}", 2)
    except MachineError as error:
        _leave(f"error: {error}", 1)
    except BrokenPipeError:  # the reader of our output has closed it
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if hasattr(error, "format_message"):  # a usage error of typer's
            _leave(f"error: {' '.join(error.format_message().split())}", 2)
        raise
    if code == INTERRUPTED:  # from typer, for a KeyboardInterrupt
        _leave("interrupted; run the same command again to continue", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _leave(line: str, code: int) -> None:
    print(line, file=sys.stderr)
    sys.exit(code)

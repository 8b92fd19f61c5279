"""``decaybench run``: progress and every look as tables on a terminal, and as plain lines elsewhere."""

import re
import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from decaybench.cli import evidence
from decaybench.cli.console import PHASES
from decaybench.errors import UserError
from decaybench.findings import Summary
from decaybench.runner import Share, Watcher

PLAIN_EVERY_S = 10.0
UNITS = 3600, 60, 1  # seconds of an hour, a minute, a second
FEW = 12  # the most strategies that a plain line lists one by one


class Live(Watcher):
    """Shows, per strategy, the runs done and planned, the best validation result and the diverged runs; and where the
    sweep stands after every look. A strategy without runs in a phase is left out.

    The time left is that of what is planned so far; a look may ask for more.
    Writes to stderr, so that stdout holds only the answer.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live: RichLive | None = None
        self._phase, self._shares = "", list[Share]()
        self._made = self._total = 0
        self._started = self._spoke = 0.0

    def __enter__(self) -> "Live":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def note(self, line: str) -> None:
        self._console.print(Text(f"note: {line}"), soft_wrap=True)

    def begin(self, name: str, updates_left: int, stack_size: int, device: str) -> None:
        self._made, self._total = 0, updates_left
        self._started = self._spoke = time.monotonic()
        at_once = f"up to {stack_size} runs at a time"
        self._console.print(f"{name}: {updates_left:,} updates left to train on {device}, {at_once}")
        if self._console.is_terminal:
            self._live = RichLive(
                console=self._console, get_renderable=self._render, refresh_per_second=4, transient=True
            )
            self._live.start()

    def extended(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def trouble(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def more(self, updates: int) -> None:
        self._total += updates

    def look(self, shown: Summary) -> None:
        if self._console.is_terminal:
            self._console.print(Text(evidence.headline(shown), style="bold"), evidence.table(shown), sep="\n")
            return
        for line in evidence.lines(shown):
            self._console.print(Text(line), soft_wrap=True)

    def phase(self, phase: str, shares: Sequence[Share]) -> None:
        changed = PHASES[phase] != self._phase
        self._phase, self._shares = PHASES[phase], [share for share in shares if share.planned]
        self._speak(at_once=changed or all(share.done == share.planned for share in shares))

    def advance(self, updates: int) -> None:
        self._made += updates
        self._speak(at_once=False)

    def end(self) -> None:
        self._stop()
        seconds = time.monotonic() - self._started
        self._console.print(f"trained {self._made:,} updates in {duration(seconds)}")

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _speak(self, *, at_once: bool) -> None:
        """Print a plain line, unless a live table is shown or the last line is recent."""
        now = time.monotonic()
        if self._live is not None or (not at_once and now - self._spoke < PLAIN_EVERY_S):
            return
        self._spoke = now
        each = ", ".join(map(_in_words, self._shares if len(self._shares) <= FEW else [_together(self._shares)]))
        self._console.print(f"{self._phase}: {each}; {self._pace()}", soft_wrap=True)

    def _pace(self) -> str:
        seconds = time.monotonic() - self._started
        if not self._made or seconds <= 0:
            return f"0 of {self._total:,} updates"
        rate = self._made / seconds
        left = max(self._total - self._made, 0) / rate
        return f"{self._made / max(self._total, 1):.0%}, {rate:,.0f} updates/s, {duration(left)} left"

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(self._phase or "strategy", no_wrap=True)
        for column in ("done", "best validation", "diverged"):
            table.add_column(column, justify="right")
        for share in self._shares:
            table.add_row(
                Text(share.strategy),
                f"{share.done}/{share.planned}",
                "" if share.best is None else f"{share.best:.4f}",
                str(share.diverged or ""),
            )
        return Group(Text(self._pace(), style="dim"), table)  # the rate first, since a short terminal cuts off the end


def _in_words(share: Share) -> str:
    diverged = f" ({share.diverged} diverged)" if share.diverged else ""
    best = "" if share.best is None else f" best {share.best:.4f}"
    return f"{share.strategy} {share.done}/{share.planned}{diverged}{best}"


def _together(shares: Sequence[Share]) -> Share:
    """The sum over all strategies, without a best value."""
    return Share(
        f"{len(shares)} strategies",
        sum(share.planned for share in shares),
        sum(share.done for share in shares),
        sum(share.diverged for share in shares),
        None,
    )


def seconds(text: str) -> float:
    """A time limit in seconds: ``90s``, ``40m``, ``2h``, ``1h30m``, or a number of seconds.

    Raises UserError for anything else.
    """
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", text, re.ASCII)
    total = 0.0 if found is None else sum(float(n or 0) * unit for n, unit in zip(found.groups(), UNITS, strict=True))
    if not total > 0:
        raise UserError(f"--time-limit: must be a time such as 90s, 40m, 2h or 1h30m, got {text!r}")
    return total


def duration(seconds: float) -> str:
    """A time as text: ``1 h 05 min``, ``2 min 10 s``, ``40 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

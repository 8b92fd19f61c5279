"""Pausing a sweep while its database is full, locked or out of reach."""

import math
import random
import time
from collections.abc import Callable
from typing import Final

from decaybench.runner.leaving import Leaving
from decaybench.store import UnavailableError

LONGEST_S: Final = 5.0
"""Seconds between two tries, at most."""
_TICK_S: Final = 0.1


class Pausing:
    """Waits longer after every try that failed, by times that differ between processes, and says when a wait begins.

    A process that is asked to leave waits no longer: it raises Interrupted.
    """

    def __init__(self, leaving: Leaving, say: Callable[[str], None] = lambda line: None) -> None:
        self.last = -math.inf
        self._leaving, self._say = leaving, say
        self._since, self._tries = 0.0, 0
        self._draw = random.Random()  # of its own, since no result may depend on it

    def wait(self, error: UnavailableError) -> None:
        """Wait until the next try is due; say once that the sweep waits, and why."""
        self._tries += 1
        if self._tries == 1:  # perhaps a connection that broke while nobody used it; the next try opens another
            self._since = time.monotonic()
        elif self._tries == 2:
            self._say(f"the sweep waits, and goes on by itself: {error}")
        until = time.monotonic() + min(LONGEST_S, _TICK_S * 2**self._tries) * self._draw.uniform(0.5, 1.0)
        while (left := until - time.monotonic()) > 0:
            self._leaving.check()
            time.sleep(min(left, _TICK_S))

    def over(self) -> None:
        """Say that the sweep goes on, if it waited."""
        if self._tries:
            self.last = time.monotonic()
            if self._tries > 1:
                self._say(f"the sweep goes on after {self.last - self._since:.0f} s")
            self._tries = 0

"""Leaving in the middle of training, when the user or the machine asks for it."""

import os
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any, Final

from decaybench.training import Interrupted

LEAVE: Final = (signal.SIGINT, signal.SIGTERM, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else []))
"""The signals that ask a process to leave: Ctrl-C, the system's, and the one that SLURM sends before a preemption."""
LEAVE_S: Final = 10.0
"""Seconds within which a process that was asked to leave has left."""


class Leaving:
    """Notes the signals that ask this process to leave, for as long as it is entered.

    The first one sets ``asked``, and training stops after its current update. A second Ctrl-C raises KeyboardInterrupt.
    So does an update that has not ended after half of `LEAVE_S`.
    """

    def __init__(self, signals: Sequence[signal.Signals]) -> None:
        self.asked = False
        self._signals, self._before = signals, dict[signal.Signals, Any]()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> "Leaving":
        if threading.current_thread() is threading.main_thread():  # others cannot set handlers, nor receive signals
            for which in self._signals:
                self._before[which] = signal.signal(which, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self.left()
        for which, before in self._before.items():
            signal.signal(which, before)

    def check(self) -> None:
        """Raise Interrupted if this process was asked to leave."""
        if self.asked:
            self.left()
            raise Interrupted

    def left(self) -> None:
        """Training has stopped: do not interrupt what follows."""
        if self._timer is not None:
            self._timer.cancel()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked and signal.SIGINT in self._signals:
            # os.kill, since raise_signal in a thread does not wake the main one.
            self._timer = threading.Timer(LEAVE_S / 2, os.kill, [os.getpid(), signal.SIGINT])
            self._timer.daemon = True
            self._timer.start()
        self.asked = True

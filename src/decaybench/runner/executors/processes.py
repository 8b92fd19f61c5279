"""Stacks are trained in processes of this machine, each with one thread and its own database connection.

The executor owns its processes. Python's ProcessPoolExecutor would end all of them when one is killed.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from decaybench.errors import reason
from decaybench.runner.executors.base import LISTEN_S, Ended
from decaybench.runner.leaving import LEAVE, LEAVE_S, Leaving
from decaybench.runner.worker import Worker, open_worker
from decaybench.store import Claim
from decaybench.training import Interrupted


@dataclass(eq=False)
class _Process:
    """A process, the pipe to it, and what it trains."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"
    claim: Claim | None = None


class Processes:
    """Trains stacks in up to ``workers`` processes. One that died is replaced."""

    public = False

    def __init__(self, url: str, name: str, data_root: Path | None, device: str, workers: int) -> None:
        """Processes for the sweep ``name`` in the database at ``url``; each starts when it is first needed."""
        self.workers = workers
        self._given = url, name, data_root, device
        # spawn, not fork: a forked process would inherit this one's threads and locks.
        self._context = multiprocessing.get_context("spawn")
        self._processes: list[_Process] = []
        self._waiting: deque[Claim] = deque()

    @property
    def full(self) -> bool:
        """Whether every process has work, and another stack is waiting."""
        return bool(self._waiting) and not self._idle() and len(self._processes) == self.workers

    def start(self, claim: Claim) -> None:
        """Have a stack trained by the next process that is free."""
        self._waiting.append(claim)
        self._hand_out()

    def finished(self) -> Iterator[Ended]:
        """Wait until a process has returned or died, and yield what it trained."""
        pipes = {one.pipe: one for one in self._processes}
        for pipe in wait(list(pipes), LISTEN_S if self._waiting or self._busy() else 0):
            one = pipes[pipe]  # type: ignore[index]  # only pipes were waited for
            claim, lost = one.claim, None
            try:
                lost, one.claim = one.pipe.recv(), None
            except (EOFError, OSError):
                lost = self._bury(one)
            self._hand_out()
            if claim is not None:
                yield Ended(claim, lost)

    def close(self) -> None:
        """Ask the processes to leave, wait until they have, and kill those that do not."""
        self._waiting.clear()
        for one in self._processes:
            one.pipe.close()  # ends one that waits for work
            if one.claim is not None:
                one.process.terminate()
        deadline = time.monotonic() + LEAVE_S
        try:
            for one in self._processes:
                one.process.join(max(0.0, deadline - time.monotonic()))
        finally:  # a second Ctrl-C ends the wait
            for one in self._processes:
                if one.process.is_alive():
                    one.process.kill()
                    one.process.join()
            self._processes.clear()

    def _busy(self) -> bool:
        return any(one.claim is not None for one in self._processes)

    def _idle(self) -> list[_Process]:
        return [one for one in self._processes if one.claim is None]

    def _hand_out(self) -> None:
        while self._waiting:
            free = self._idle()
            if not free and len(self._processes) == self.workers:
                return
            one = free[0] if free else self._begin()
            one.claim = self._waiting.popleft()
            try:
                one.pipe.send(one.claim)
            except OSError:  # it died while it had nothing to do
                self._waiting.appendleft(one.claim)
                self._bury(one)

    def _begin(self) -> _Process:
        ours, its = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(its, *self._given), daemon=True)
        # It must not print a traceback if Ctrl-C comes before it ignores that: a new process begins with this mask.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if hasattr(signal, "pthread_sigmask") else None
        try:
            process.start()
        finally:
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        its.close()
        self._processes.append(_Process(process, ours))
        return self._processes[-1]

    def _bury(self, one: _Process) -> str:
        """Forget a process that has ended; returns how it did."""
        one.process.join(LEAVE_S)
        if one.process.is_alive():  # it has closed its pipe, but does not end
            one.process.kill()
            one.process.join()
        one.pipe.close()
        self._processes.remove(one)
        code = one.process.exitcode or 0
        if code == -signal.SIGKILL:
            return "a training process was killed (out of memory?)"
        return f"a training process died ({f'signal {-code}' if code < 0 else f'exit code {code}'})"


def _serve(pipe: "Connection[Any, Any]", url: str, name: str, data_root: Path | None, device: str) -> None:
    """What a process does: train the stacks that it receives, until the pipe is closed or it is asked to leave.

    It answers each with None, or with the reason why it could not even begin or record the end of an attempt.
    """
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the main one handles it
    with Leaving(LEAVE[1:]) as leaving, ExitStack() as opened, suppress(EOFError, OSError, Interrupted):
        worker: Worker | None = None
        while True:
            claim, answer = pipe.recv(), None
            try:
                worker = worker or opened.enter_context(open_worker(url, name, data_root, device, leaving))
                worker.train(claim)
            except Interrupted:
                raise
            except Exception as error:
                answer = reason(error)
            pipe.send(answer)


def _die_with_parent() -> None:
    """End this process if its parent is killed, so that it does not go on without anybody who waits for it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)

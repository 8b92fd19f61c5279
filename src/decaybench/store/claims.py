"""The right to write a stack's epochs and results: only its current attempt has it."""

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, select, update

from decaybench.store.schema import ATTEMPTS, STACKS


class Claim(NamedTuple):
    """One attempt at a stack: what a worker needs to know to train it, and to be allowed to write."""

    sweep_id: str
    stack: int
    attempt: int

    @property
    def current(self) -> ColumnElement[bool]:
        """The condition that a row of ``stacks`` is this stack's, and that this attempt is the current one."""
        return and_(of_stack(self.sweep_id, self.stack), STACKS.c.attempt == self.attempt)


class StaleError(Exception):
    """A newer attempt at the stack has begun, or the stack was given up: this attempt may not write."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"attempt {claim.attempt} at stack {claim.stack} is no longer the current one")


def of_stack(sweep_id: str, stack: int) -> ColumnElement[bool]:
    """The condition that a row of ``stacks`` is this stack's."""
    return and_(STACKS.c.sweep_id == sweep_id, STACKS.c.stack == stack)


def require_held(connection: Connection, claim: Claim) -> None:
    """Lock the stack until the end of the transaction; StaleError unless this attempt holds it."""
    held = select(STACKS.c.attempt).where(claim.current, STACKS.c.state == "held").with_for_update()
    if connection.execute(held).first() is None:
        raise StaleError(claim)


def finish_stack(connection: Connection, claim: Claim) -> None:
    """Mark the stack as done, when its runs get their results; StaleError unless this attempt holds it."""
    require_held(connection, claim)
    connection.execute(update(STACKS).where(claim.current).values(state="done"))
    note_end(connection, claim, "finished", None)


def note_end(connection: Connection, claim: Claim, ended: str, reason: str | None) -> None:
    """Record how an attempt ended."""
    values = {"ended_at": datetime.now(UTC), "ended": ended, "reason": reason}
    connection.execute(update(ATTEMPTS).where(of_attempt(claim)).values(values))


def of_attempt(claim: Claim) -> ColumnElement[bool]:
    """The condition that a row of ``attempts`` is this attempt's."""
    return and_(*(ATTEMPTS.c[name] == value for name, value in claim._asdict().items()))

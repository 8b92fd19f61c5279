"""A sweep that is in the database already: what its file may change, and what a change of ``to`` leaves."""

from collections.abc import Mapping, Sequence
from typing import Any

from decaybench.compare import planned
from decaybench.errors import UserError
from decaybench.findings.standing import taken
from decaybench.store import LookRow
from decaybench.sweep import Sweep, extends, require_current, shares_slots


def require_extension(sweep: Sweep, stored: Mapping[str, Any], looks: Sequence[LookRow]) -> bool:
    """Whether the file says more than the database; UserError where it says something else.

    A key newer than the database has its default.
    """
    require_current(stored["spec"])
    known = Sweep.from_mapping(stored["spec"], sweep.name).spec()
    with sweep.named():
        extends(known, sweep.spec())
        if looks and (before := known["budget"]["trials"]) != (now := sweep.budget.trials):
            raise UserError(
                f"{sweep.name}: budget.trials: {before} in the database, {now} in the file; "
                "it may be raised only until the first look"
            )
        try:
            planned(sweep.budget.repeats.start, sweep.budget.repeats.to, taken(looks))
        except ValueError as broken:
            raise UserError(f"{sweep.name}: budget.repeats.to: {broken}") from None
    return known != sweep.spec()


def what_is_left(sweep: Sweep, stored: Mapping[str, Any], looks: Sequence[LookRow]) -> str | None:
    """The error that is left and the looks to come, in one line; None unless the file changes the database's ``to``."""
    before, now = stored["spec"]["budget"]["repeats"]["to"], sweep.budget.repeats.to
    if before == now or shares_slots(sweep):
        return None
    done = taken(looks)
    reached = max((look.repeats for look in done), default=0)
    coming = planned(sweep.budget.repeats.start, now, done)
    spent = max((look.spent for look in coming if look.repeats <= reached), default=0.0)
    ahead = ", ".join(str(look.repeats) for look in coming if look.repeats > reached)
    return (
        f"{sweep.name}: budget.repeats.to: {before} in the database, {now} in the file; looks so far have spent "
        f"{spent:.0%} of the error, {1 - spent:.0%} is left; looks to come are after {ahead} repeats"
    )

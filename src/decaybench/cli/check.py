"""``decaybench check``: a sweep's plan, before anything is trained or written."""

import json

from rich.table import Table
from rich.text import Text

from decaybench import api
from decaybench.cli.console import wide_console
from decaybench.cli.run import duration
from decaybench.runner import check_sweep


def show(sweep: str, *, data: str | None, device: str, as_json: bool) -> None:
    """Check the sweep against its data and model, and print what would be trained."""
    checked = api.as_sweep(sweep)
    plan = check_sweep(checked, data_root=api.data_root(data), device=device)
    if as_json:
        print(json.dumps(plan.as_dict(), indent=2))
        return
    console = wide_console()
    task = checked.task
    console.print(Text(f"{checked.name}: {checked.question}" if checked.question else checked.name, style="bold"))
    examples = ", ".join(f"{count:,} {split}" for split, count in plan.examples.items() if count)
    smallest = plan.smallest_class
    classes = f"{plan.classes:,} classes, the smallest ({smallest.name}) with {smallest.train:,} in train"
    setting = f"{task.model}, batch size {task.batch_size}, {plan.steps_per_epoch:,} updates per epoch"
    console.print(Text(f"{task.data}: {examples}; {classes}; {setting}"))
    several = len(checked.budget.lengths) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("strategy", "schedule", *(["length"] if several else [])):
        table.add_column(column, overflow="fold")
    for column in ("epochs", "search", "confirm", "replay", "updates"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("searched", overflow="fold")
    for row in plan.rows:
        table.add_row(
            Text(row.strategy),
            Text("" if row.schedule == row.strategy else row.schedule),
            *([f"{row.length:g}"] if several else []),
            f"{row.epochs:,}",
            f"{row.search_runs:,}",
            f"{row.confirm_runs:,}",
            f"{row.replay_runs:,}" if row.replay_runs else "",
            f"{row.updates:,}",
            Text(", ".join(row.searched) or "nothing: one trial per repeat"),
        )
    console.print(table)
    where = f"{plan.device} in {plan.workers} processes" if plan.workers > 1 else plan.device
    console.print(
        Text(
            f"{plan.runs:,} runs, {plan.updates:,} updates; about {duration(plan.seconds)} on {where}, "
            "estimated from a short measurement"
        )
    )
    if plan.shared >= 0.005:
        console.print(
            Text(f"identical parts of runs are computed once: at least {plan.shared:.0%} fewer updates in the search")
        )
    if (asked := checked.search.prune) is not None:
        stopped = f"trials worse than the median of their strategy are stopped after {asked.at:.0%} of their epochs"
        saved = f"at most about {plan.pruned:.0%} fewer updates in the search"
        console.print(Text(f"pruning: {stopped}, except {asked.spare:.0%} that are spared: {saved}"))
    for note in plan.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)

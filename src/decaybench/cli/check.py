"""``decaybench check``: a sweep's plan, before anything is trained or written."""

import json

from rich.table import Table
from rich.text import Text

from decaybench import api
from decaybench.cli.console import wide_console
from decaybench.cli.run import duration
from decaybench.report.words.method import UNTIL
from decaybench.report.words.numbers import count
from decaybench.runner import check_sweep


def show(sweep: str, *, storage: str | None, data: str | None, device: str, as_json: bool) -> None:
    """Check the sweep against its data and model, and print what would be trained."""
    checked = api.as_sweep(sweep)
    plan = check_sweep(checked, data_root=api.data_root(data), device=device, url=api.storage_url(storage))
    if as_json:
        print(json.dumps(plan.as_dict(), indent=2))
        return
    console = wide_console()
    task = checked.task
    console.print(Text(f"{checked.name}: {checked.question}" if checked.question else checked.name, style="bold"))
    examples = ", ".join(f"{count:,} {split}" for split, count in plan.examples.items() if count)
    smallest = plan.smallest_class
    least = f"the smallest ({smallest.name}) has {smallest.train:,} training images"
    classes = f"{plan.classes:,} classes, of which {least}"
    setting = f"{task.model}, batch size {task.batch_size}, {plan.steps_per_epoch:,} updates per epoch"
    console.print(Text(f"{task.data}: {examples}; {classes}; {', '.join([setting, *task.options(task.average)])}"))
    several = len(checked.budget.lengths) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("strategy", "schedule", *(["length"] if several else [])):
        table.add_column(column, overflow="fold")
    for column in ("epochs", "trials", "updates per run"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("searched", overflow="fold")
    for row in plan.rows:
        table.add_row(
            Text(row.strategy),
            Text("" if row.schedule == row.strategy else row.schedule),
            *([f"{row.length:g}"] if several else []),
            f"{row.epochs:,}",
            f"{row.least:,}" if row.least == row.most else f"{row.least:,} to {row.most:,}",
            f"{row.updates:,}",
            Text(", ".join(row.searched) or "nothing"),
        )
    console.print(table)
    where = f"{plan.device} in {plan.workers} processes" if plan.workers > 1 else plan.device
    console.print(Text(f"looks after {', '.join(map(str, plan.looks))} repeats, {UNTIL[checked.decide.until]}"))
    cost_table = Table(box=None, pad_edge=False, header_style="bold")
    cost_table.add_column("cost")
    for column in ("repeats", "trials", "retraining", "updates", f"time on {where}"):
        cost_table.add_column(column, justify="right", no_wrap=True)
    for name, cost in plan.costs.items():
        cost_table.add_row(
            name,
            str(cost.repeats),
            f"{cost.search:,}",
            f"{cost.retraining:,}",
            f"{cost.updates:,}",
            duration(cost.seconds),
        )
    console.print(cost_table)
    console.print(Text(f"times are estimated from a short measurement; testing takes {plan.testing:.1%} of them"))
    if plan.shared >= 0.005:
        console.print(
            Text(f"updates that runs share are computed once, which saves at least {plan.shared:.0%} of the search")
        )
    if (asked := checked.search.prune) is not None:
        stopped = f"trials worse than the median of their strategy are stopped after {asked.at:.0%} of their epochs"
        saved = f"at most about {plan.pruned:.0%} fewer updates in the search"
        console.print(Text(f"pruning: {stopped}, except {asked.spare:.0%} that are spared: {saved}"))
    if plan.trained is not None:
        done, most = plan.trained, plan.costs["most"].search
        looks = count(done.looks, "look")
        console.print(Text(f"already trained: {done.trials:,} of at most {most:,} trials ({looks})"))
    for note in plan.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)

"""How many updates a search saves because runs that begin alike share them: ``python -m benchmarks.sharing``.

The search is really trained, including reactive rules, and the computed updates are counted.
"""

import argparse
import os
from pathlib import Path

import torch

from decaybench.runner.environment import prepare_environment
from decaybench.runner.proposals import Proposals
from decaybench.runner.worker import recipe
from decaybench.sweep import Sweep, arms, load_sweep, plan_search, resolve, size
from decaybench.training import OptimizerForm, Run, train


def counted(sweep: Sweep, data: Path | None) -> tuple[int, int]:
    """The updates of all runs of the sweep's search, and those that were computed."""
    environment = prepare_environment(sweep, data, torch.device("cpu"))
    known = {arm.label: arm for arm in arms(sweep)}

    def length(share: float):
        return size(sweep, len(environment.data.train), share)

    proposals = Proposals(sweep, known, environment.chance, length)
    stacks: dict[tuple[OptimizerForm, int, int], list[Run]] = {}
    for run in plan_search(sweep):
        arm, of = known[run.strategy], length(run.length)
        own = resolve(arm, proposals.value(run), total_steps=of.total_steps, steps_per_epoch=of.steps_per_epoch)
        stacks.setdefault((arm.form, run.repeat, run.slot), []).append(
            Run(run.seed, own.schedule, own.learning_rate, own.momentum, own.weight_decay, of.epochs)
        )
    made = computed = 0
    for (form, _, _), runs in stacks.items():
        wanted = recipe(sweep.task, form, max(run.epochs for run in runs))
        results = train(wanted, runs, environment.data, device=environment.device, width=4)
        made += sum(len(result.trace) for result in results)
        computed += sum(result.updates_computed for result in results)
    return made, computed


def main() -> None:
    """Print what sharing saves, at one length and at several."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", nargs="?", default="mnist-fixed-vs-reactive")
    parser.add_argument("--data", default=os.environ.get("DECAYBENCH_DATA"))
    parser.add_argument("--repeats", type=int, help="use this number of repeats instead of the sweep's")
    given = parser.parse_args()
    for lengths in ((1.0,), (0.25, 0.5, 1.0)):
        spec = load_sweep(given.sweep).spec()
        spec["budget"] |= {"lengths": list(lengths)} | ({"repeats": given.repeats} if given.repeats else {})
        made, computed = counted(Sweep.from_mapping(spec, given.sweep), Path(given.data) if given.data else None)
        saved = f"{made:,} updates, {computed:,} computed, {made / computed:.2f}x"
        print(f"{given.sweep}, lengths {list(lengths)}: {saved}")


if __name__ == "__main__":
    main()

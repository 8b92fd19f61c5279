"""The shipped sweeps: each one loads, plans and resolves, and the seed rules' learning rates are the tutorials'."""

import pytest

from decaybench.schedules import SCHEDULES, trace
from decaybench.sweep import (
    Arm,
    RunParameters,
    arms,
    ledger,
    load_sweep,
    plan_choosing,
    plan_search,
    resolve,
    shipped,
    spec_hash,
)

NAMES = sorted(shipped())
PASSES, STEPS = 50, 18  # of seed-rules: 1197 // 64 = 18 updates an epoch
TOTAL = PASSES * STEPS


def at(arm: Arm, u: float, total_steps: int = 200, steps_per_epoch: int = 20) -> RunParameters:
    """The run at the point of the arm's space whose coordinates are all ``u``."""
    values = {dimension.name: dimension.range.at([u] * dimension.range.dims) for dimension in arm.space}
    return resolve(arm, values, total_steps=total_steps, steps_per_epoch=steps_per_epoch)


def test_a_new_key_leaves_old_hashes_as_they_are():
    """Otherwise a sweep that has begun could not be continued by a newer version."""
    hashes = {name: spec_hash(load_sweep(name).spec())[:16] for name in ("quickstart", "seed-network3", "seed-rules")}
    assert hashes == {
        "quickstart": "80a0687eb2a7e527",
        "seed-network3": "4c73f368effa2401",
        "seed-rules": "94efcc13f9455a9e",
    }


def test_which_there_are():
    assert NAMES == [
        "catalogue",
        "cifar10-fixed-vs-reactive",
        "digits-fixed-vs-reactive",
        "mnist-fixed-vs-reactive",
        "quickstart",
        "seed-batch-full",
        "seed-batch-mini",
        "seed-batch-one",
        "seed-network3",
        "seed-rules",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_loads_plans_and_resolves(name):
    sweep = load_sweep(name)
    assert sweep.name == name == shipped()[name].stem
    assert sweep.question.endswith("?")
    assert sweep.budget.repeats.start >= 5 or name == "catalogue"  # fewer give no verdict
    built = arms(sweep)
    assert built[0].kind == "constant"  # the control comes first
    assert {arm.family for arm in built} == {"fixed", "reactive"}
    search = plan_search(sweep, dict.fromkeys(sweep.strategies, sweep.budget.repeats.start))
    assert len(search) == sum(row.least for row in ledger(sweep, 20))
    places = {label: [(0, 0), (2, 1)] for label in sweep.strategies}
    assert len(plan_choosing(sweep, places)) == 2 * len(built) * sweep.budget.confirm_seeds
    for arm in built:
        for u in (0.0, 0.5, 0.99):
            run = at(arm, u)
            assert run.schedule.resolved and run.learning_rate > 0 and 0 <= run.momentum < 1


@pytest.mark.parametrize("name", NAMES)
def test_comments_explain_it_to_a_newcomer(name):
    text = shipped()[name].read_text()
    assert text.startswith("# ")
    assert text.count("#") >= 10
    assert max(len(line) for line in text.splitlines()) <= 120


@pytest.mark.parametrize("name", ["digits-fixed-vs-reactive", "mnist-fixed-vs-reactive", "cifar10-fixed-vs-reactive"])
def test_fixed_against_reactive(name):
    sweep = load_sweep(name)
    assert [arm.label for arm in arms(sweep)] == [
        *("constant", "time_based", "step_decay", "staircase", "cosine", "linear", "wsd"),
        *("exp_loss", "exp_loss_relative", "reduce_on_plateau", "bold_driver"),
    ]
    assert (sweep.task.batch_size, sweep.task.data) == (64, name.partition("-")[0])
    assert all(arm.space for arm in arms(sweep))


def test_the_catalogue_has_every_kind():
    sweep = load_sweep("catalogue")
    built = arms(sweep)
    assert {arm.kind for arm in built} == set(SCHEDULES)
    assert {arm.optimizer for arm in built} == {"sgd", "schedule-free", "prodigy"}
    assert (sweep.task.data, sweep.budget.trials, sweep.budget.repeats.to) == ("digits", 4, 1)


def test_batch_sizes_differ_and_strategies_do_not():
    sweeps = {name: load_sweep(f"seed-batch-{name}") for name in ("full", "mini", "one")}
    assert [sweep.task.batch_size for sweep in sweeps.values()] == ["full", 20, 1]
    first, *others = ([(arm.label, arm.kind) for arm in arms(sweep)] for sweep in sweeps.values())
    assert all(other == first for other in others)
    assert len({sweep.task.train_size for sweep in sweeps.values()}) == 1


def test_network3():
    sweep = load_sweep("seed-network3")
    task = sweep.task
    assert (task.data, str(task.model), task.batch_size) == ("mnist", "lenet", 10)
    assert task.velocity == "keras" and task.decay_biases is False
    for arm in arms(sweep):
        assert "one_minus_momentum" in {dimension.name for dimension in arm.space}
        # lambda over the number of mini-batches, as in the comment
        assert arm.weight_decay == pytest.approx(0.1 / (task.train_size / task.batch_size))


# label, {update: learning rate}, worked out by hand from the tutorials' formulas
KERAS = {0: 0.1, 1: 0.1 / 1.002, 18: 0.1 / 1.036, 450: 0.1 / 1.9, 899: 0.1 / 2.798}
RULES = {
    "constant": {0: 0.1, 899: 0.1},
    "keras_time_based": KERAS,
    "keras_time_based_nesterov": KERAS,
    "time_decay_per_epoch": {0: 0.1, 17: 0.1, 18: 0.1 / 1.002, 450: 0.1 / 1.05, 899: 0.1 / 1.098},
    # floor((1 + epoch) / 10): epoch 9 begins with update 162
    "step_drop": {0: 0.1, 161: 0.1, 162: 0.05, 341: 0.05, 342: 0.025, 899: 0.1 / 2**5},
    "tf_exponential": {0: 0.01, 9: 0.01 * 0.96**0.5, 18: 0.0096, 36: 0.009216, 899: 0.01 * 0.96 ** (899 / 18)},
    "tf_staircase": {0: 0.01, 17: 0.01, 18: 0.0096, 35: 0.0096, 36: 0.009216, 899: 0.01 * 0.96**49},
}


def seed_rules() -> dict[str, Arm]:
    return {arm.label: arm for arm in arms(load_sweep("seed-rules"))}


@pytest.mark.parametrize("label", RULES)
def test_learning_rates_of_the_fixed_rules(label):
    assert load_sweep("seed-rules").task.epochs == PASSES
    run = at(seed_rules()[label], 0.5, TOTAL, STEPS)
    rates = run.learning_rate * trace(run.schedule, TOTAL, STEPS)
    for update, expected in RULES[label].items():
        assert rates[update].item() == pytest.approx(expected, rel=1e-12), update


def test_learning_rates_of_exp_loss():
    built = seed_rules()
    update = at(built["exp_loss_per_update"], 0.5, TOTAL, STEPS)
    losses = [2.302585092994046, 1.0] + [0.0] * (TOTAL - 2)  # ln 10 first
    rates = update.learning_rate * trace(update.schedule, TOTAL, STEPS, losses)
    assert rates[:3].tolist() == pytest.approx([0.1, 0.02718281828459045, 0.01], rel=1e-12)

    epoch = at(built["exp_loss_per_epoch"], 0.5, TOTAL, STEPS)
    losses = [2.302585092994046, 1.0] + [0.0] * (PASSES - 2)
    rates = epoch.learning_rate * trace(epoch.schedule, TOTAL, STEPS, losses)
    # nothing is known in the first epoch; then an epoch's mean loss rules the next one
    assert rates[[0, 17, 18, 35, 36, 54]].tolist() == pytest.approx(
        [0.01, 0.01, 0.1, 0.1, 0.02718281828459045, 0.01], rel=1e-12
    )


def test_optimizers_of_the_rules():
    built = seed_rules()
    assert set(built) == {*RULES, "exp_loss_per_update", "exp_loss_per_epoch"}
    adam = {label for label, arm in built.items() if arm.optimizer == "adam"}
    assert adam == {"tf_exponential", "tf_staircase"}
    assert {label for label, arm in built.items() if arm.nesterov} == {"keras_time_based_nesterov"}
    assert {arm.velocity for label, arm in built.items() if label not in adam} == {"keras"}
    assert {arm.momentum for arm in built.values()} == {0.9}
    assert not any(arm.space for arm in built.values())  # as written: nothing is searched

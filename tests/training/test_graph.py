"""What a GPU runs as CUDA graphs, held to the ordinary loop: on a CPU its chunks are run as they are, bit for bit.

``captured=True`` is the GPU's path; the tests that need a CUDA device hold the recorded graphs to it.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from decaybench import models
from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.schedules import SCHEDULES, Bank
from decaybench.training import OptimizerForm, Recipe, Run, graph, train
from decaybench.training.lanes import Lanes
from decaybench.training.runs import bucket
from decaybench.training.update import Update
from training.settings import TOGETHER

CPU = torch.device("cpu")
STEPS = 20  # updates an epoch: a whole chunk and a shorter one
BATCH = 8
RECIPE = Recipe("small-cnn", epochs=3, batch_size=BATCH)


@pytest.fixture(scope="module")
def digits():
    dataset = load_dataset("digits", None)
    sizes = {"train_size": BATCH * STEPS, "validation_size": 60, "test_size": 60}
    return prepare(dataset, draw_splits(dataset, 0, **sizes, signal=True))


def make(kind, **fields):
    return SCHEDULES[kind](**fields)


def mixed():
    """Every way of hearing and none, runs that begin alike, runs that end early, and runs that diverge."""
    schedules = [
        make("constant"),
        make("cosine", floor=0.0, warmup=7),
        make("multi_step", milestones=[1, 2], gamma=0.1),
        make("exp_loss", gain=0.1),
        make("exp_loss", gain=0.1, signal="ema"),
        make("exp_loss_relative", gain=1.0, signal="held_out"),
        make("loss_ratio", power=0.5, signal="epoch"),
        make("reduce_on_plateau", factor=0.5, patience=0, cooldown=0, threshold=0.2),
        make("bold_driver", up=1.1, down=0.5),
        make("greedy_lr", factor=0.5, signal="batch"),
        make("polyak", c=0.5),
        make("l4", alpha=0.1),
        make("hypergradient", beta=1e-4),
        make("exp_loss", gain=1000.0, max_scale=1e300, signal="epoch"),  # diverges as the second epoch begins
    ]
    runs = [Run(seed // 2, schedule, 0.02, 0.9, 1e-4) for seed, schedule in enumerate(schedules)]
    runs[1], runs[4] = replace(runs[1], epochs=1), replace(runs[4], epochs=2)
    # Weight decay makes the first one's weights grow 29 times an update, so that it diverges within a chunk.
    return [*runs, Run(9, make("constant"), 1.0, 0.0, 30.0), Run(9, make("constant"), 1e30, 0.0, 0.0)]


def without_gradients(runs):
    return [run for run in runs if not getattr(run.schedule, "observes", ())]


def assert_same(ours, theirs):
    """Equal bit for bit, but for how many updates were computed: on a GPU no two runs share any."""
    for a, b in zip(ours, theirs, strict=True):
        assert a.trace.tobytes() == b.trace.tobytes()
        said = [{name: x for name, x in vars(r).items() if name not in ("trace", "updates_computed")} for r in (a, b)]
        assert said[0] == said[1]


def both(recipe, runs, data, **how):
    """The results and curves of the GPU's way and of the ordinary one, on a CPU."""
    ways = []
    for captured in (True, False):
        curves = []
        results = train(
            recipe, runs, data, device=CPU, read_test=True, captured=captured, on_epoch=curves.append, **how
        )
        ways.append((results, curves))
    return ways


def assert_both_same(recipe, runs, data, **how):
    (ours, our_curves), (theirs, their_curves) = both(recipe, runs, data, **how)
    assert_same(ours, theirs)
    for a, b in zip(our_curves, their_curves, strict=True):
        for name in ("alive", "train_loss", "learning_rate"):
            np.testing.assert_array_equal(getattr(a, name)[a.alive], getattr(b, name)[a.alive])
        for name, values in a.validation.items():
            np.testing.assert_array_equal(values[a.alive], b.validation[name][a.alive])
    return ours


@pytest.mark.parametrize("precision", ["fp32", "bf16", pytest.param("fp64", marks=pytest.mark.soak)])
def test_chunks_give_the_bits_of_the_ordinary_loop(digits, precision):
    results = assert_both_same(replace(RECIPE, precision=precision), mixed(), digits)
    assert {result.outcome for result in results} == {"finished", "diverged"}
    assert 2 < results[-2].diverged_step < graph.LENGTH - 2


EVERY = [
    {},
    {"form": OptimizerForm(nesterov=True)},
    {"form": OptimizerForm(velocity="keras")},
    {"form": OptimizerForm("adam")},
    {"form": OptimizerForm("schedule-free")},
    {"form": OptimizerForm("prodigy")},
    *TOGETHER,
]


class Tape(TorchDispatchMode):
    """Stands in for a CUDA graph on a CPU: what is done is recorded, and done again on the same memory."""

    def __init__(self, *, record):
        super().__init__()
        self.called, self.operations, self.record = 0, [], record

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.operations.append((function, args, kwargs or {}, made))
        return made

    def __call__(self, operations):
        self.called += 1
        if self.called == 1:
            operations()
        elif self.called == 2:
            with self:
                operations()
        else:
            with torch.no_grad():
                for function, args, kwargs, made in self.operations:
                    for old, new in zip(tensors(made), tensors(function(*args, **kwargs)), strict=True):
                        if old.data_ptr() != new.data_ptr():  # neither a view nor changed in place
                            old.copy_(new)


def tensors(made):
    return [made] if isinstance(made, Tensor) else [each for each in made or () if isinstance(each, Tensor)]


@pytest.mark.parametrize("settings", EVERY, ids=str)
def test_a_chunk_that_is_replayed_on_its_memory_gives_the_same_bits(digits, monkeypatch, settings):
    tapes = []
    monkeypatch.setattr(graph, "Recorded", lambda record, pool: tapes.append(Tape(record=record)) or tapes[-1])
    monkeypatch.setattr(graph, "LENGTH", 2)
    recipe = replace(RECIPE, epochs=3, batch_size=2 * BATCH, **settings)  # five chunks an epoch
    assert_both_same(recipe, mixed() if recipe.form.kind == "sgd" else without_gradients(mixed()), digits)
    assert sum(tape.called > 2 for tape in tapes) > 1  # replayed, and again with fewer lanes


@pytest.mark.parametrize("width", [1, 3])
def test_how_many_models_go_through_the_net_at_once_changes_no_bit_in_chunks(digits, width):
    assert_both_same(replace(RECIPE, epochs=2), mixed()[1::2], digits, width=width)


def test_a_lone_run_and_batch_gradient_descent_go_in_chunks_too(digits):
    assert_both_same(RECIPE, mixed()[4:5], digits)
    assert_both_same(replace(RECIPE, batch_size="full"), mixed(), digits)


class Rolled(nn.Module):
    """A model of a user's own, which only vmap can stack."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(64, 16), nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.hidden(x.flatten(1)).roll(1, -1))


def with_dropout():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Dropout(0.5), nn.Linear(16, 10))


@pytest.mark.parametrize(("net", "fixed"), [(with_dropout, False), (Rolled, False), (None, True)])
def test_what_no_graph_can_hold_goes_in_chunks_unrecorded(digits, monkeypatch, net, fixed):
    if net is not None:
        monkeypatch.setitem(models.MODELS._built_in, "small-cnn", lambda shape, classes: net())
    runs = [Run(seed, make("cosine", floor=0.0), 0.05, 0.9, 0.0) for seed in range(3)]
    assert Lanes(RECIPE, runs, digits, CPU, 3).fixed is fixed
    assert_both_same(RECIPE, runs, digits)


def test_lanes_whose_runs_have_ended_are_left_in_few_steps(digits, lane_updates):
    recipe = replace(RECIPE, epochs=6, batch_size=BATCH * STEPS // 2)  # 2 updates an epoch
    lengths = (6, 1, 1, 2, 2, 3, 3, 3, 4, 5, 6)
    runs = [Run(n, make("constant"), 0.02, 0.9, 0.0, epochs=epochs) for n, epochs in enumerate(lengths)]
    runs.append(Run(11, make("constant"), 1e30, 0.9, 0.0))
    ours = train(recipe, runs, digits, device=CPU, read_test=True, captured=True)
    # 12 runs; after each epoch 9, 7, 4, 3 and 2 of them go on.
    assert lane_updates == [n for n in (12, 12, 8, 4, 3, 2) for _ in range(2)]
    assert_same(ours, train(recipe, runs, digits, device=CPU, read_test=True))


def test_buckets_are_powers_of_two_and_three_quarters_of_them():
    assert [bucket(n) for n in range(1, 14)] == [1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 12, 12, 16]
    assert all(n <= bucket(n) <= 1.5 * n for n in range(1, 2000))


class NeverWaits(TorchFunctionMode):
    """Fails on what makes the host wait for a device, or copies to it: neither can be recorded."""

    WAITS = ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "cpu", "numpy", "nonzero", "tensor")

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = function.__name__
        assert name not in self.WAITS, f"torch's {name} waits for the device"
        if name in ("__getitem__", "__setitem__"):
            places = args[1] if isinstance(args[1], tuple) else (args[1],)
            for place in places:
                assert isinstance(place, (slice, Tensor, int, type(None))), f"an index of {type(place)} is copied"
                assert not isinstance(place, Tensor) or place.dtype == torch.int64, "a mask waits for its count"
                assert not isinstance(place, Tensor) or place.ndim, "torch reads an index that is one number"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("lone", [False, True])
@pytest.mark.parametrize("settings", EVERY, ids=str)
def test_no_update_waits_for_the_device(digits, monkeypatch, settings, lone):
    before, made = Update.__call__, []

    def watched(*given):
        made.append(1)
        with NeverWaits():
            return before(*given)

    monkeypatch.setattr(Update, "__call__", watched)
    recipe = replace(RECIPE, epochs=1, **settings)
    # What an optimizer does waits for no schedule, so each but the first has a few of them.
    runs = every_schedule() if recipe.form.kind == "sgd" else without_gradients(every_schedule())[::8]
    train(recipe, runs[:1] if lone else runs, digits, device=CPU, captured=True)
    assert len(made) == STEPS


def every_schedule():
    """A run of each kind, with every option and with warmup and without, at values within its ranges."""
    runs = []
    for schedule in SCHEDULES.values():
        for warmup in (0, 5):
            values = {}
            for name in schedule.parameters():
                spread = schedule.range_of(name, epochs=3)
                if spread is not None and name != "warmup":
                    drawn = spread.at([0.7] * spread.dims)
                    values[name] = spread.to_native(drawn, total_steps=3 * STEPS, steps_per_epoch=STEPS)
            for name, options in schedule.options().items():
                values[name] = options[-1]
            runs.append(Run(len(runs), schedule(**values, warmup=warmup), 0.01, 0.9, 1e-4))
    return runs


def test_a_step_on_the_device_gives_the_rates_of_one_on_the_host():
    runs = every_schedule()
    bank = Bank([run.schedule for run in runs], torch.full((len(runs),), 0.1, dtype=torch.float64), 3 * STEPS, STEPS)
    state = bank.init()
    for step in range(3 * STEPS):
        assert torch.equal(bank.scale(state, step), bank.scale(state, torch.tensor(step)))


@pytest.mark.cuda
@pytest.mark.parametrize("form", [OptimizerForm(), OptimizerForm(velocity="keras"), OptimizerForm("adam")], ids=str)
def test_graphs_agree_with_the_chunks_on_a_cpu(digits, form):
    # One batch an epoch, so that every loss is seen; the first is warming up, the second recorded, the rest replayed.
    recipe = Recipe("small-cnn", epochs=50, batch_size=BATCH * STEPS, form=form)
    runs = [replace(run, learning_rate=run.learning_rate / 4) for run in without_gradients(mixed())[:-3]]
    losses = []
    for device in (CPU, torch.device("cuda")):
        curves = []
        train(recipe, runs, digits, device=device, captured=True, on_epoch=curves.append)
        losses.append([[float(x) for x in np.where(c.alive, c.train_loss, 0.0)] for c in curves])
    np.testing.assert_allclose(*losses, rtol=0, atol=1e-4)


@pytest.mark.cuda
def test_a_runs_numbers_on_a_gpu_hardly_depend_on_k(digits):
    runs, gpu = mixed()[:8], torch.device("cuda")
    recipe = replace(RECIPE, epochs=2)
    together = train(recipe, runs, digits, device=gpu)
    for i in (0, 3, 5):
        (alone,) = train(recipe, [runs[i]], digits, device=gpu)
        assert alone.validation["loss"] == pytest.approx(together[i].validation["loss"], abs=1e-4)
        np.testing.assert_allclose(alone.trace, together[i].trace, rtol=1e-3)


@pytest.mark.cuda
def test_both_graphs_of_an_epoch_share_their_memory(digits, monkeypatch):
    pools = []

    class Watched(graph.Recorded):
        def __call__(self, operations):
            super().__call__(operations)
            if self._graph is not None:
                pools.append((id(self), self._graph.pool()))

    monkeypatch.setattr(graph, "Recorded", Watched)
    train(RECIPE, [Run(1, make("constant"), 0.02, 0.9, 0.0)], digits, device=torch.device("cuda"))
    assert len({made for made, _ in pools}) == 2
    assert len({pool for _, pool in pools}) == 1


@pytest.mark.cuda
def test_what_is_replayed_is_what_would_be_run(digits, monkeypatch):
    runs, gpu = mixed(), torch.device("cuda")
    replayed = train(RECIPE, runs, digits, device=gpu)
    monkeypatch.setattr(Lanes, "fixed", False)
    for a, b in zip(replayed, train(RECIPE, runs, digits, device=gpu), strict=True):
        assert (a.outcome, a.epochs_done, len(a.trace)) == (b.outcome, b.epochs_done, len(b.trace))
        if a.outcome == "finished":
            assert a.validation["loss"] == pytest.approx(b.validation["loss"], abs=1e-3)

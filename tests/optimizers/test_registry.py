"""One class is all that an optimizer takes: a sweep knows it, it is trained with, exported, or refused there."""

from importlib import import_module

import pytest
import torch

from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.errors import UserError
from decaybench.export import TARGETS
from decaybench.optimizers import (
    DEFAULT,
    KINDS,
    OPTIMIZERS,
    Average,
    KerasCode,
    Optimizer,
    OptimizerForm,
    TorchCode,
)
from decaybench.schedules import SCHEDULES, Reactive
from decaybench.sweep import Sweep, arms
from decaybench.training import Recipe, Run, train
from decaybench.training.chain import make_chain
from export.settings import setting


class Sign(Optimizer):
    """w -= lr * sign(g)."""

    name = "sign"
    needs_schedule = False
    needs_momentum = True

    @classmethod
    def in_torch(cls, use):
        return TorchCode("Sign", [f"momentum={use.momentum}"], ["from signs import Sign"], averages=True)

    def step(self, carried, direction, learning_rate):
        carried["parameters"].sub_(direction.sign() * learning_rate[:, None])


@pytest.fixture
def sign(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "sign", Sign)


def test_they_bear_their_names_and_one_is_the_default():
    assert [optimizer.name for optimizer in KINDS] == list(OPTIMIZERS)
    assert next(iter(OPTIMIZERS)) == DEFAULT == OptimizerForm().kind
    assert {"schedule-free", "prodigy"} <= {name for name, cls in OPTIMIZERS.items() if not cls.needs_schedule}


def test_what_rules_look_at_is_shown_by_the_default():
    shown = frozenset().union(*OPTIMIZERS[DEFAULT].observable.values())
    for kind, cls in SCHEDULES.items():
        assert not issubclass(cls, Reactive) or set(cls.observes) <= shown, kind


def test_an_unknown_one_is_no_plain_sgd():
    with pytest.raises(KeyError, match="rmsprop"):
        make_chain(Recipe("small-cnn", 1, 1, OptimizerForm("rmsprop")), [], torch.zeros(1), frozenset())


@pytest.mark.parametrize(
    ("form", "averages"),
    [
        (OptimizerForm("adamw"), False),
        (OptimizerForm("schedule-free"), True),
        (OptimizerForm(average=Average(ema=0.9)), True),
        (OptimizerForm(average=Average(last=3)), True),
    ],
    ids=str,
)
def test_a_chain_says_whether_other_weights_than_the_trained_ones_are_evaluated(form, averages):
    assert make_chain(Recipe("small-cnn", 1, 1, form), [], torch.zeros(1), frozenset()).averages == averages


def sweep(**strategy):
    return Sweep.from_mapping(
        {
            "name": "signs",
            "task": {"data": "digits", "model": "small-cnn", "epochs": 2, "batch_size": 64, "optimizer": "sign"},
            "budget": {"trials": 1, "repeats": 1, "confirm_seeds": 1},
            "strategies": {"constant": strategy},
        },
        "signs.toml",
    )


@pytest.mark.usefixtures("sign")
@pytest.mark.parametrize(
    ("strategy", "rule"),
    [
        ({"optimizer": "rmsprop"}, f'optimizer: must be one of {", ".join(OPTIMIZERS)}, sign, got "rmsprop"'),
        ({"nesterov": True}, "nesterov: must be false under sign, which has no Nesterov form, got true"),
        ({"momentum": 0}, "momentum: must be above 0 under sign, got 0"),
        ({"schedule": "polyak"}, 'optimizer: must be "sgd", since polyak looks at gradients, got "sign"'),
    ],
)
def test_a_sweep_goes_by_what_the_class_says(strategy, rule):
    assert arms(sweep())[0].optimizer == "sign"
    with pytest.raises(UserError, match=f"^signs.toml: strategies.constant.{rule}$"):
        sweep(**strategy)


@pytest.mark.usefixtures("sign")
def test_a_stack_is_trained_with_it():
    dataset = load_dataset("digits", None)
    data = prepare(dataset, draw_splits(dataset, 0, train_size=128))
    recipe = Recipe("small-cnn", epochs=2, batch_size=64, form=OptimizerForm("sign"))
    runs = [Run(seed, SCHEDULES["constant"](), 1e-3, 0.9, 0.0) for seed in (1, 2)]
    assert [result.outcome for result in train(recipe, runs, data, device=torch.device("cpu"))] == ["finished"] * 2


@pytest.mark.usefixtures("sign")
def test_an_export_writes_what_the_class_says_and_refuses_where_it_says_nothing():
    made = setting(SCHEDULES["constant"](), 60, 5, optimizer="sign")
    code = TARGETS["torch"](made)
    assert "import torch\nfrom signs import Sign\n" in code
    assert "optimizer = Sign(model.parameters(), lr=0.3, momentum=0.9, weight_decay=0.0)\n" in code
    assert "optimizer.eval()" in code
    assert 'optimizer = "sign"' in TARGETS["toml"](made)
    with pytest.raises(UserError, match=r"^--format: Keras has no sign, the optimizer of it; use torch$"):
        TARGETS["keras"](made)


def test_code_is_not_inherited():
    """A class that extends Adam and says nothing of its code would be exported as Adam."""

    class Heavy(OPTIMIZERS["adam"]):
        name = "heavy"

    use = setting(SCHEDULES["constant"](), 60, 5, optimizer="adam").use
    assert Heavy.in_torch(use) is Heavy.in_keras(use) is None
    assert OPTIMIZERS["adam"].in_torch(use).name == "torch.optim.Adam"


@pytest.mark.usefixtures("sign")
def test_keras_subclasses_it_where_there_is_weight_decay(monkeypatch):
    monkeypatch.setattr(Sign, "in_keras", classmethod(lambda cls, use: KerasCode("keras.optimizers.Sign", [])))
    made = [setting(SCHEDULES["constant"](), 60, 5, optimizer="sign", weight_decay=decay) for decay in (0.0, 0.01)]
    without, decayed = map(TARGETS["keras"], made)
    assert "optimizer = keras.optimizers.Sign(learning_rate=0.3)\n" in without
    assert "class DecayingSign(keras.optimizers.Sign):\n" in decayed
    assert "        gradient = gradient + 0.01 * variable\n" in decayed


@pytest.mark.parametrize(("target", "name", "instead"), [("pytorch", "PyTorch", "toml"), ("keras", "Keras", "torch")])
def test_an_optimizer_that_is_not_known_is_never_exported_as_another(monkeypatch, target, name, instead):
    monkeypatch.setattr(f"decaybench.export.{target}.OPTIMIZERS", {})
    with pytest.raises(UserError, match=f"^--format: {name} has no adam, the optimizer of it; use {instead}$"):
        import_module(f"decaybench.export.{target}").write(setting(SCHEDULES["constant"](), 60, 5, optimizer="adam"))

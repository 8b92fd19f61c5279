"""What torch is told for the time of a training, and that it is told no longer afterwards."""

import pytest
import torch

from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, train
from decaybench.training.arithmetic import exact_arithmetic


def told():
    cuda, cudnn, onednn = torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn
    multiplying = cuda.matmul, cudnn.conv, cudnn.rnn, onednn.matmul, onednn.conv, onednn.rnn
    return [torch.get_num_threads(), *(operation.fp32_precision for operation in multiplying)]


def everything(precision):
    torch.backends.fp32_precision = precision


def one_by_one(precision):
    torch.backends.cudnn.fp32_precision = "tf32"
    torch.backends.mkldnn.conv.fp32_precision = precision


SCRIPTS = {
    "nothing": lambda: None,
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "tf32": lambda: everything("tf32"),
    "bf16": lambda: everything("bf16"),
    "one by one": lambda: one_by_one("bf16"),
}


@pytest.fixture(params=SCRIPTS)
def script(request):
    """What a person's script told torch before, undone at the end."""
    SCRIPTS[request.param]()
    yield request.param
    everything("none")
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.fp32_precision = "none"
    onednn = torch.backends.mkldnn
    for operation in (torch.backends.cuda.matmul, onednn.matmul, onednn.conv):
        operation.fp32_precision = "none"


def test_one_thread_and_float32_until_it_is_over(script):
    before, meanwhile = told(), []

    def fails():
        with exact_arithmetic():
            meanwhile.extend(told())
            raise RuntimeError("in training")

    with pytest.raises(RuntimeError, match="in training"):
        fails()
    assert meanwhile == [1, *["ieee"] * 6]
    assert told() == before


def test_what_follows_the_rule_for_everything_follows_it_afterwards():
    with exact_arithmetic():
        pass
    everything("tf32")
    followed = told()[1:]
    everything("none")
    assert followed == ["tf32"] * 6


@pytest.fixture(scope="module")
def train_one():
    dataset = load_dataset("digits", None)
    digits = prepare(dataset, draw_splits(dataset, 0, train_size=160))
    recipe, run = Recipe("small-cnn", epochs=1, batch_size=32), Run(5, SCHEDULES["constant"](), 0.02, 0.9, 1e-4)
    return lambda: train(recipe, [run], digits, device=torch.device("cpu"))[0].validation["loss"]


@pytest.fixture(scope="module")
def untold(train_one):
    """Wider than any test's fixture, so it is trained before a script says anything."""
    return train_one()


def test_a_script_that_wants_speed_changes_no_bit(untold, script, train_one):
    assert train_one() == untold


@pytest.mark.cuda
def test_a_convolution_in_fp32_is_not_rounded_to_tf32():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 64, 16, 16, generator=generator)
    weights = torch.randn(64, 64, 3, 3, generator=generator)
    exact = torch.nn.functional.conv2d(images.double(), weights.double())
    with exact_arithmetic():
        made = torch.nn.functional.conv2d(images.cuda(), weights.cuda()).cpu()
    torch.testing.assert_close(made.double(), exact, rtol=0, atol=1e-4)

"""What torch is told for the time of a training, and that it is told no longer afterwards."""

import pytest
import torch

from decaybench.training.arithmetic import exact_arithmetic


def told():
    cudnn = torch.backends.cudnn
    multiplying = torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn
    return [torch.get_num_threads(), *(operation.fp32_precision for operation in multiplying)]


def test_one_thread_and_no_tf32_until_it_is_over():
    before, meanwhile = told(), []

    def fails():
        with exact_arithmetic():
            meanwhile.extend(told())
            raise RuntimeError("in training")

    with pytest.raises(RuntimeError, match="in training"):
        fails()
    assert "tf32" in before
    assert meanwhile == [1, "ieee", "ieee", "ieee"]
    assert told() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_convolution_in_fp32_is_not_rounded_to_tf32():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 64, 16, 16, generator=generator)
    weights = torch.randn(64, 64, 3, 3, generator=generator)
    exact = torch.nn.functional.conv2d(images.double(), weights.double())
    with exact_arithmetic():
        made = torch.nn.functional.conv2d(images.cuda(), weights.cuda()).cpu()
    torch.testing.assert_close(made.double(), exact, rtol=0, atol=1e-4)

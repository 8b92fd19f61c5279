"""Each kind of layer gives a run in a stack the numbers, and in fp32 the bits, that the run has alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from decaybench.schedules import SCHEDULES
from decaybench.training import Average, OptimizerForm, Recipe, Run, train
from decaybench.training.layers import KINDS, Architecture
from reference import plain_loop
from training.judged import CPU, SHAPE, judge, runs
from training.own_models import Own

NETS = {}


def net(build):
    NETS[build.__name__.replace("_", " ")] = build
    return build


def convolutional(*layers, channels, size=6):
    """A convolution of 1x8x8 images, layers, and a head on ``channels`` maps of this size."""
    return nn.Sequential(nn.Conv2d(1, 6, 3), *layers, nn.Flatten(), nn.Linear(channels * size * size, 10))


def called(forward, features, **parts):
    """A forward that is written with functions."""
    return Own(forward, conv=nn.Conv2d(1, 6, 3), head=nn.Linear(features, 10), **parts)


@net
def activations():
    functions = F.elu, F.gelu, F.mish, F.selu, F.silu, F.softplus, torch.sigmoid, torch.tanh, F.celu, F.hardswish

    def forward(self, x):
        x = self.conv(x)
        return self.head(torch.cat([function(x) for function in functions], 1).flatten(1))

    return called(forward, 216 * len(functions))


@net
def convolutions_of_every_kind():
    layers = [
        nn.Conv2d(6, 6, 3, padding="same", groups=6),
        nn.Conv2d(6, 10, 1, groups=2, bias=False),
        nn.Conv2d(10, 8, 3, stride=2, padding=2, dilation=2),
    ]
    return convolutional(*layers, channels=8, size=3)


@net
def pools():
    layers = [nn.MaxPool2d(2, 1), nn.AvgPool2d(2, 1, 1), nn.AdaptiveMaxPool2d(4), nn.AdaptiveAvgPool2d(3)]
    return convolutional(*layers, channels=6, size=3)


@net
def pools_as_functions():
    def forward(self, x):
        x = F.avg_pool2d(F.max_pool2d(self.conv(x), 2), 2)
        return self.head(F.adaptive_avg_pool2d(x, (1, 1)).view(x.size(0), -1))

    return called(forward, 6)


@net
def batch_norm():
    return convolutional(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 16, 3), nn.BatchNorm2d(16), channels=16, size=4)


@net
def batch_norm_without_memory_and_weights():
    layers = nn.BatchNorm2d(6, track_running_stats=False), nn.BatchNorm2d(6, affine=False, momentum=0.3)
    return convolutional(*layers, channels=6)


@net
def batch_norm_of_rows():
    parts = nn.BatchNorm1d(20), nn.ReLU(), nn.BatchNorm1d(20, affine=False)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), *parts, nn.Linear(20, 10))


@net
def batch_norm_of_one_pixel():
    return nn.Sequential(nn.Conv2d(1, 6, 8), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(6, 10))


@net
def norms_of_one_image():
    layers = nn.GroupNorm(3, 6), nn.InstanceNorm2d(6), nn.InstanceNorm2d(6, affine=True), nn.LayerNorm((6, 6, 6))
    return nn.Sequential(*convolutional(*layers, channels=6), nn.LayerNorm(10))


@net
def dropout_everywhere():
    def forward(self, x):
        x = F.dropout(F.dropout2d(self.conv(x), 0.2, self.training), 0.3, self.training)
        return self.head(self.channels(self.single(x)).flatten(1))

    return called(forward, 216, single=nn.Dropout(0.1), channels=nn.Dropout2d(0.1))


@net
def residual_sums_and_arithmetic():
    def forward(self, x):
        x = self.conv(x)
        y = self.inner(x)
        y += x
        gate = torch.sigmoid(F.adaptive_avg_pool2d(y, 1))
        return self.head((1 - y * gate / 2 - x).flatten(1)) * 2 + 1

    return called(forward, 216, inner=nn.Conv2d(6, 6, 3, padding=1))


@net
def writing_in_place():
    def forward(self, x):
        x = self.conv(x)
        kept = x
        self.relu(x)
        y = x * 0.5
        y.add_(1)
        y -= kept
        return self.head((y + x).tanh_().flatten(1))

    return called(forward, 216, relu=nn.ReLU(inplace=True))


@net
def concatenation_slices_and_padding():
    def forward(self, x):
        x = self.conv(x)
        assert x.shape[2] == 6, x.shape
        images, channels, *_ = x.shape
        x = torch.cat([x, -x, x[:, 1:3]], dim=1)
        x = F.pad(x[:, :, ::2, 1:], (0, 0, 0, 0, 1, 1))
        x = F.pad(x, (1, 0)).contiguous()
        x = torch.cat([x, x], 3)[:, 2 * channels - 4]
        return self.head(x.reshape(images, -1))

    return called(forward, 36)


@net
def means():
    def forward(self, x):
        x = self.conv(x).relu()
        return self.head(torch.mean(x, (-2, -1)) + x.mean(3, keepdim=True).squeeze(3).mean(2) + x.mean([2, 3]))

    return called(forward, 6)


@net
def linear_on_the_last_axis():
    def forward(self, x):
        x = self.conv(x)
        return F.log_softmax(self.head(self.across(self.rows(x)).flatten(2).softmax(-1).flatten(1)), dim=1)

    return called(forward, 6 * 6 * 5, rows=nn.Linear(6, 7), across=nn.Linear(7, 5, bias=False))


@net
def tied_and_used_twice():
    def forward(self, x):
        x = self.norm(self.again(F.relu(self.norm(self.again(self.conv(x))))))
        return self.head(self.other(self.dense(x.flatten(1))))

    parts = {"again": nn.Conv2d(6, 6, 3, padding=1), "norm": nn.BatchNorm2d(6)}
    made = called(forward, 216, **parts, dense=nn.Linear(216, 216), other=nn.Linear(216, 216))
    made.other.weight = made.dense.weight
    return made


def four():
    """Two runs that begin as one and part in the second epoch, and two others."""
    late = Run(0, SCHEDULES["multi_step"](milestones=[3], gamma=0.1), 0.02, 0.5, 0.0)
    return [*runs(0, 1), late, *runs(2)]


@pytest.fixture
def stacked(request, own):
    build = NETS[request.param]
    own(lambda shape, classes: build())
    template = build()
    architecture = Architecture(template, SHAPE)
    assert architecture.wide is not None, architecture.why_whole
    return architecture


every_net = pytest.mark.parametrize("stacked", sorted(NETS), indirect=True)


@every_net
def test_a_run_equals_the_plain_loop(stacked, few):
    judge()
    recipe = Recipe("own", epochs=2, batch_size=5, precision="fp64")
    plain = [plain_loop(recipe, run, few) for run in four()]
    for width in (None, 1):
        results = train(recipe, four(), few, device=CPU, width=width, read_test=True)
        ours = [(result.validation["loss"], result.test["loss"]) for result in results]
        theirs = [(one.validation_loss[-1], one.test_loss) for one in plain]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


@every_net
def test_its_bits_depend_neither_on_the_number_of_runs_nor_on_neighbours(stacked, few):
    recipe = Recipe("own", epochs=1, batch_size=5)

    def losses(chosen, width=None):
        results = train(recipe, chosen, few, device=CPU, width=width, read_test=True)
        return [(result.validation["loss"], result.test["loss"]) for result in results]

    mine, *others = runs(1, 0, 2, 3, 4, 5)
    (alone,) = losses([mine])
    wild = replace(others[0], learning_rate=1e30)
    assert losses([*others[:2], mine])[2] == losses([mine, wild, *others])[0] == losses([*others, mine], 3)[5] == alone
    # Width 1 is a mode with bits of its own.
    assert losses([*others, mine], 1)[5] == losses([mine, wild], 1)[0] == losses([mine], 1)[0]


@pytest.mark.parametrize("stacked", [name for name in sorted(NETS) if name.startswith("batch norm")], indirect=True)
@pytest.mark.parametrize("average", [Average(ema=0.8), Average(last=2)], ids=str)
@pytest.mark.parametrize("chosen", [slice(4), slice(1)])
def test_batch_norms_statistics_are_estimated_for_averages(stacked, few, average, chosen):
    recipe = Recipe("own", 2, 5, OptimizerForm(average=average), precision="fp64")
    results = train(recipe, four()[chosen], few, device=CPU, read_test=True)
    for run, result in zip(four(), results, strict=False):
        plain = plain_loop(recipe, run, few)
        np.testing.assert_allclose(result.validation["loss"], plain.validation_loss[-1], rtol=0, atol=1e-10)
        np.testing.assert_allclose(result.test["loss"], plain.test_loss, rtol=0, atol=1e-10)


@pytest.mark.parametrize("stacked", ["batch norm", "norms of one image", "activations"], indirect=True)
def test_bf16_is_near(stacked, few):
    coarse, fine = (
        train(Recipe("own", epochs=2, batch_size=5, precision=precision), runs(0, 1), few, device=CPU)
        for precision in ("bf16", "fp32")
    )
    for a, b in zip(coarse, fine, strict=True):
        assert a.validation["loss"] == pytest.approx(b.validation["loss"], rel=0.1)


def test_each_kind_of_layer_is_in_a_net(own):
    seen = set()
    for build in NETS.values():
        steps = Architecture(build(), SHAPE).wide.steps
        seen |= {type(step.layer) for training in steps for step in steps[training]}
    assert seen >= set(KINDS)


def test_norms_stay_in_fp32():
    wide = Architecture(NETS["batch norm"](), SHAPE).wide
    assert {own.place for own in wide.keeps} == {2, 3, 6, 7}

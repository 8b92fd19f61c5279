"""What draws."""

import random

import numpy as np
import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn

from training.own_models.rows import Own, head, row


@row("draws from Python's random in training")
def stochastic_depth():
    def forward(self, x):
        x = x.flatten(1)
        return self.head(x + self.block(x) if random.random() < 0.5 else x)

    return Own(forward, block=nn.Linear(64, 64), head=head())


@row("draws from Python's random in training")
def hardly_ever_another_depth():
    def forward(self, x):
        return self.head(x.flatten(1)) * (2 if random.random() < 1e-9 else 1)

    return Own(forward, head=head())


@row("draws from NumPy's random in training")
def numpys_noise():
    def forward(self, x):
        return self.head(x.flatten(1)) + float(np.random.randn())

    return Own(forward, head=head())


@row("draws from torch's generator in training")
def torchs_noise():
    return Own(lambda self, x: self.head(x.flatten(1) + torch.randn_like(x.flatten(1))), head=head())


@row("gives different logits or gradients for the same images the second time in training")
def noise_from_nowhere():
    return Own(lambda self, x: self.head(x.flatten(1)) + float(np.random.default_rng().normal()), head=head())


@row("changes the attribute generator in training")
def a_generator_of_its_own():
    def forward(self, x):
        return self.head(x.flatten(1) + torch.randn(64, generator=self.generator).to(x.dtype))

    return Own(forward, head=head(), generator=torch.Generator().manual_seed(0))


@row("changes the attribute rng in training")
def a_numpy_generator_of_its_own():
    def forward(self, x):
        return self.head(x.flatten(1)) * self.rng.normal()

    return Own(forward, head=head(), rng=np.random.default_rng(0))


@row("gives different logits or gradients for the same images the second time in evaluation")
def what_follows_torchs_seed():
    def forward(self, x):
        return self.head(x.flatten(1)) * (1 if self.training else 1 + torch.initial_seed())

    return Own(forward, head=head())


@row()
def noise_of_a_fixed_seed():
    def forward(self, x):
        x = x.flatten(1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.head(x + torch.randn(64).to(x.dtype))

    return Own(forward, head=head())


@row()
def dropout_in_a_module():
    return Own(lambda self, x: self.head(self.drop(x.flatten(1))), head=head(), drop=nn.Dropout(0.5))


@row(
    "draws from torch's generator in training, so a run cannot be repeated: Dropout(p=0.5, inplace=False); dropout is "
    "possible only in a model of known layers, but this one calls cumsum(1), for which there is no layer"
)
def dropout_beside_an_unknown_layer():
    return Own(lambda self, x: self.head(self.drop(x.flatten(1).cumsum(1))), head=head(), drop=nn.Dropout(0.5))


@row()
def dropout_before_flatten():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout(), nn.Flatten(), head(144))


@row()
def dropout_of_channels():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout2d(), nn.Flatten(), head(144))


@row()
def dropout_as_a_function():
    return Own(lambda self, x: self.head(F.dropout(x.flatten(1), 0.3, self.training)), head=head())


@row("draws from torch's generator in evaluation")
def dropout_in_evaluation():
    return Own(lambda self, x: self.head(F.dropout(x.flatten(1), 0.3, not self.training)), head=head())


@row("draws from torch's generator in training")
def a_random_relu():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.RReLU(), head(16))


@row()
def no_dropout_before_flatten():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout(0.0), nn.Flatten(), nn.Dropout(p=0.0), head(144))


@row()
def no_dropout_in_a_module():
    return Own(lambda self, x: self.head(self.drop(x.flatten(1))), head=head(), drop=nn.Dropout(0.0))


@row()
def no_dropout_of_channels():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout2d(0.0), nn.AlphaDropout(0.0), nn.Flatten(), head(144))


class Noisy(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x * 1

    @staticmethod
    def backward(context, gradient):
        return gradient * (1 + torch.rand(()))


@row("draws from torch's generator in training")
def noise_on_the_gradient():
    return Own(lambda self, x: Noisy.apply(self.head(x.flatten(1))), head=head())

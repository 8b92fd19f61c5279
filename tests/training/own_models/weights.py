"""Weights that are computed, and what parameters may be."""

import torch
import torch.fx
import torch.nn.utils.prune
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from training.own_models.rows import Own, head, mlp, row


@row()
def old_weight_norm():
    net = mlp()
    nn.utils.weight_norm(net[1])
    return net


@row("changes the buffer 1.weight_u, buffer 1.weight_v, attribute 1.weight in training")
def old_spectral_norm():
    net = mlp()
    nn.utils.spectral_norm(net[1])
    return net


@row()
def weight_norm():
    net = mlp()
    parametrizations.weight_norm(net[1])
    return net


@row("changes the buffer 1.parametrizations.weight.0._u")
def spectral_norm():
    net = mlp()
    parametrizations.spectral_norm(net[1])
    return net


class Symmetric(nn.Module):
    def forward(self, w):
        return w.triu() + w.triu(1).transpose(-1, -2)


@row()
def a_parametrization():
    layer = nn.Linear(64, 64)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), head())


@row("the runs share buffer 1.weight_mask, attribute 1.weight, which are not the same for every seed")
def pruned_at_random():
    net = mlp()
    torch.nn.utils.prune.random_unstructured(net[1], "weight", 0.5)
    return net


@row()
def pruned_by_a_fixed_mask():
    net = mlp()
    mask = torch.ones(16, 64)
    mask[:, ::2] = 0
    torch.nn.utils.prune.custom_from_mask(net[1], "weight", mask)
    return net


@row("changes the parameter head.weight in training")
def a_weight_that_is_clamped_in_forward():
    def forward(self, x):
        self.head.weight.data.clamp_(-0.05, 0.05)
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row("has no parameters, so there is nothing to train")
def no_parameters():
    return nn.Sequential(nn.Flatten())


@row("must have requires_grad=True for every parameter, got False for 1.bias")
def frozen():
    net = mlp()
    net[1].bias.requires_grad_(False)
    return net


@row("must have real floating-point parameters, got w of torch.complex64")
def a_complex_parameter():
    w = nn.Parameter(torch.ones(64, dtype=torch.complex64))
    return Own(lambda self, x: self.head((x.flatten(1) * self.w).real), head=head(), w=w)


@row("must have real floating-point parameters, got n of torch.int64")
def a_whole_parameter():
    n = nn.Parameter(torch.ones(1, dtype=torch.int64), requires_grad=False)
    return Own(lambda self, x: self.head(x.flatten(1)), head=head(), n=n)


@row("must be built on the CPU, got 1.weight on meta")
def on_the_meta_device():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10, device="meta"))


@row("must be built on the CPU, got mask on meta")
def a_buffer_on_the_meta_device():
    return Own(lambda self, x: self.head(x.flatten(1)), head=head(), mask=torch.ones(3, device="meta"))


@row()
def lazy():
    return nn.Sequential(nn.LazyConv2d(8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))


@row("unused.weight belongs to a lazy layer that has not run")
def lazy_and_not_used():
    return Own(lambda self, x: self.head(x.flatten(1)), head=head(), unused=nn.LazyLinear(3))


@row("must build an nn.Module from the images' shape (1, 8, 8) and the number of classes 10, got RuntimeError")
def lazy_and_wrong():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.Linear(17, 10))


@row()
def of_two_precisions():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10).double())


@row("changes the parameter head.weight in training")
def a_weight_that_is_clamped_to_where_it_is():
    def forward(self, x):
        with torch.no_grad():
            self.head.weight.clamp_(-1, 1)
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row("changes the parameter table.weight in training")
def an_embedding_of_a_largest_norm():
    def forward(self, x):
        return self.head(self.table((x.flatten(1) > 0).long()).flatten(1))

    return Own(forward, table=nn.Embedding(2, 2, max_norm=100.0), head=head(128))


@row("changes the parameter head.bias in evaluation")
def a_bias_that_evaluation_takes_away():
    def forward(self, x):
        if not self.training:
            self.head.bias.data.zero_()
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row("must have finite initial weights, got NaN or infinity in 1.weight")
def weights_that_are_nan():
    net = mlp()
    net[1].weight.data[0, 0] = float("nan")
    return net


@row("must have dense parameters, got w of torch.sparse_coo")
def a_sparse_parameter():
    w = nn.Parameter(torch.eye(64).to_sparse())
    return Own(lambda self, x: self.head(torch.sparse.mm(self.w, x.flatten(1).T).T), head=head(), w=w)

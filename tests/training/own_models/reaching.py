"""What reaches back into the module that it was made in, or remembers outside of it."""

import functools

import torch
import torch.nn.functional as F
from torch import nn

from training.own_models.rows import Own, head, mlp, row

BACK = "that no run trains: a lambda, closure or hook refers to the module in which it was made"
REMEMBERS = "after it has seen other images or weights: it keeps them"


@row(f"uses parameters in training {BACK}")
def a_hook_that_scales():
    net = Own(lambda self, x: self.head(x.flatten(1)), head=head(), scale=nn.Parameter(torch.ones(1)))
    net.head.register_forward_hook(lambda module, given, out: out * net.scale)
    return net


@row(f"uses parameters in training {BACK}")
def an_activation_with_a_slope_of_its_net():
    net = Own(lambda self, x: self.head(self.act(x.flatten(1))), head=head(), slope=nn.Parameter(torch.full((1,), 0.2)))
    net.act = lambda x: torch.where(x > 0, x, net.slope * x)
    return net


@row(f"uses parameters in training {BACK}")
def a_gate_that_begins_at_zero():
    net = Own(lambda self, x: self.head(self.block(x.flatten(1))), head=head(), gate=nn.Parameter(torch.zeros(1)))
    net.block = lambda x: x + net.gate * x.tanh()
    return net


@row(f"uses parameters in training {BACK}")
def a_norm_in_a_lambda():
    net = Own(lambda self, x: self.head(self.block(x).flatten(1)), head=head(), norm=nn.GroupNorm(1, 1))
    net.block = lambda x: net.norm(x)
    return net


@row(f"uses parameters in training {BACK}")
def a_module_that_is_not_copied():
    class Same(Own):
        def __deepcopy__(self, memo):
            return self

    return Same(lambda self, x: self.head(x.flatten(1)), head=head())


@row(f"uses parameters in evaluation {BACK}")
def a_lambda_of_evaluation():
    def forward(self, x):
        x = self.head(x.flatten(1))
        return x if self.training else self.after(x)

    net = Own(forward, head=head(), temperature=nn.Parameter(torch.ones(1)))
    net.after = lambda x: x * net.temperature
    return net


@row(f"uses parameters in training {BACK}")
def a_layer_that_is_called_by_its_neighbour():
    net = mlp()
    net[1].register_forward_hook(lambda module, given, out: out + net[1].bias)
    return net


@row()
def a_hook_that_is_a_method():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.scale = head(), nn.Parameter(torch.full((1,), 0.9))
            self.head.register_forward_hook(self.scaled)

        def scaled(self, module, given, out):
            return out * self.scale

        def forward(self, x):
            return self.head(x.flatten(1))

    return Scaled()


@row()
def steps_that_are_methods_of_layers():
    net = Own(
        lambda self, x: functools.reduce(lambda h, step: step(h), self.steps, x.flatten(1)),
        norm=nn.LayerNorm(64),
        head=head(),
    )
    net.steps = [net.norm.forward, net.head.forward]
    return net


@row()
def a_lambda_of_a_constant_buffer():
    net = Own(lambda self, x: self.head(self.scaled(x.flatten(1))), head=head(), gain=torch.linspace(0.5, 1.5, 64))
    net.scaled = lambda x: x * net.gain.to(x.dtype)
    return net


OUTSIDE: dict[str, torch.Tensor] = {}


@row(f"for the same images in evaluation {REMEMBERS}")
def a_mean_outside_that_evaluation_reads():
    def forward(self, x):
        x = x.flatten(1)
        mean = OUTSIDE.setdefault("mean", torch.zeros(64, dtype=torch.float64))
        if self.training:
            OUTSIDE["mean"] = 0.9 * mean + 0.1 * x.detach().double().mean(0)
            return self.head(x)
        return self.head(x - mean.to(x.dtype))

    return Own(forward, head=head())


@row(f"for the same images in evaluation {REMEMBERS}")
def averaged_weights_outside():
    def forward(self, x):
        if self.training:
            now = self.head.weight.detach().double()
            OUTSIDE["weights"] = 0.9 * OUTSIDE.get("weights", now) + 0.1 * now
            return self.head(x.flatten(1))
        return F.linear(x.flatten(1), OUTSIDE.get("weights", self.head.weight).to(x.dtype), self.head.bias)

    return Own(forward, head=head())


@row(f"for the same images in evaluation {REMEMBERS}")
def a_mean_in_a_closure():
    mean = [0.0]

    def forward(self, x):
        x = x.flatten(1)
        if self.training:
            mean[0] = 0.9 * mean[0] + 0.1 * float(x.detach().mean())
            return self.head(x)
        return self.head(x - mean[0])

    return Own(forward, head=head())


class Helper:
    largest = 0.0


@row(f"for the same images in evaluation {REMEMBERS}")
def the_largest_pixel_on_a_plain_helper():
    def forward(self, x):
        if self.training:
            Helper.largest = float(x.detach().max())
            return self.head(x.flatten(1))
        return self.head(x.flatten(1) / (1 + Helper.largest))

    return Own(forward, head=head())


@row(f"for the same images in training {REMEMBERS}")
def the_last_evaluation_that_training_reads():
    last = [0.0]

    def forward(self, x):
        if self.training:
            return self.head(x.flatten(1) - last[0])
        last[0] = float(x.mean())
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row("gives an image different logits beside other images in training")
def the_last_batch_once_a_smaller_one_comes():
    def forward(self, x):
        out = self.head(x.flatten(1))
        if self.last is not None and len(x) < self.last[1]:
            out = out + self.last[0]
        self.last = x.detach().mean(), len(x)
        return out

    return Own(forward, head=head(), last=None)

"""Models as people bring them, for images (1, 8, 8) and 10 classes: which are trained as they are, and what is said of
the others.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType

import numpy as np
import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.utils.checkpoint import checkpoint


class Own(nn.Module):
    """A module of these parts and this forward."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.does = forward
        for name, part in parts.items():
            if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x):
        return self.does(self, x)


@dataclass(frozen=True)
class Row:
    """A builder, and what the one line says of its model; None where it is trained."""

    name: str
    build: Callable
    says: str | None = None


ROWS: list[Row] = []


def row(says=None, name=None):
    """Decorates a function that makes the module."""

    def add(make):
        ROWS.append(Row(name or make.__name__, lambda shape, classes: make(), says))
        return make

    return add


def head(inputs=64):
    return nn.Linear(inputs, 10)


def mlp(*between):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), *between, nn.ReLU(), head(16))


# --- Sequentials that are not run K-wide, or not as one might think


@row()
def a_layer_with_a_forward_hook():
    net = mlp()
    net[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    return net


@row()
def a_layer_with_a_forward_pre_hook():
    net = mlp()
    net[1].register_forward_pre_hook(lambda module, inputs: (inputs[0] - 1,))
    return net


@row()
def a_relu_with_a_hook():
    net = mlp()
    net[2].register_forward_hook(lambda module, inputs, output: output + 0.1)
    return net


@row()
def a_sequential_with_a_hook():
    net = mlp()
    net.register_forward_hook(lambda module, inputs, output: output / 3)
    return net


@row()
def a_backward_hook():
    net = mlp()
    net[1].register_full_backward_hook(lambda module, before, after: (None if before[0] is None else 2 * before[0],))
    net[3].register_full_backward_hook(lambda module, before, after: (3 * before[0],))
    return net


@row("has a hook on the parameter 1.weight")
def a_hook_on_a_parameter():
    net = mlp()
    net[1].weight.register_hook(lambda gradient: 2 * gradient)
    return net


@row("has a hook on the parameter 3.bias")
def a_hook_after_a_gradient():
    net = mlp()
    net[3].bias.register_post_accumulate_grad_hook(lambda parameter: None)
    return net


@row()
def one_layer_twice():
    shared = nn.Linear(64, 64)
    return nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared, nn.ReLU(), head())


@row()
def one_convolution_twice():
    conv = nn.Conv2d(8, 8, 3, padding=1)
    first = nn.Conv2d(1, 8, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), conv, nn.ReLU(), conv, nn.MaxPool2d(4), nn.Flatten(), head(32))


@row()
def tied_weights():
    a, b = nn.Linear(64, 64), nn.Linear(64, 64)
    b.weight = a.weight
    return nn.Sequential(nn.Flatten(), a, nn.ReLU(), b, nn.ReLU(), head())


@row()
def tied_biases_in_a_module():
    a, b = nn.Linear(64, 64), nn.Linear(64, 64)
    b.bias = a.bias
    return Own(lambda self, x: self.head(self.b(self.a(x.flatten(1)).tanh()).tanh()), a=a, b=b, head=head())


@row()
def a_bias_before_its_weight():
    net = mlp()
    weight = net[1].weight
    del net[1].weight
    net[1].register_parameter("weight", weight)
    return net


@row()
def a_parameter_that_no_layer_reads():
    net = mlp()
    net.register_parameter("temperature", nn.Parameter(torch.ones(1)))
    return net


@row()
def a_layer_without_bias():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16, bias=False), nn.ReLU(), nn.Linear(16, 10, bias=False))


@row()
def two_flattens():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Flatten(), head(32))


@row()
def linear_before_flatten():
    return nn.Sequential(nn.Linear(8, 8), nn.Flatten(), head())


@row()
def a_flatten_of_some_dimensions():
    return nn.Sequential(nn.Flatten(2), nn.Linear(64, 10), nn.Flatten())


@row("must give 10 logits per image, one tensor (5, 10), got one of shape (5, 10, 8, 8)")
def no_flatten():
    return nn.Sequential(nn.Conv2d(1, 10, 1))


@row()
def relu_in_place_first():
    return nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.ReLU(inplace=True), nn.Linear(64, 10))


@row("cannot be run on a batch of 5: AttributeError: 'tuple' object")
def pooling_with_indices():
    return nn.Sequential(nn.MaxPool2d(2, return_indices=True), nn.Flatten(), head(16))


@row()
def grouped_and_reflected_convolutions():
    grouped = nn.Conv2d(4, 4, 3, groups=2)
    reflected = nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect")
    return nn.Sequential(reflected, nn.ReLU(), grouped, nn.Flatten(), head(144))


@row()
def sequential_in_sequential():
    return nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), nn.Flatten(), nn.Sequential(head(144)))


@row()
def a_forward_of_an_instance():
    net = mlp()
    net[1].forward = MethodType(lambda self, x: 3 * F.linear(x, self.weight, self.bias), net[1])
    return net


@row("has other logits in a stack of runs than alone")
def a_forward_that_knows_its_layer_from_outside():
    net = mlp()
    layer = net[1]
    layer.forward = lambda x: 3 * F.linear(x, layer.weight, layer.bias)
    return net


class Loud(nn.Linear):
    def forward(self, x):
        return 10 * super().forward(x)


@row()
def a_subclassed_layer():
    return nn.Sequential(nn.Flatten(), Loud(64, 10))


class Deep(nn.Sequential):
    def forward(self, x):
        return super().forward(x).tanh()


@row()
def a_subclassed_sequential():
    return Deep(nn.Flatten(), head())


@row()
def an_identity_and_a_softplus():
    return nn.Sequential(nn.Identity(), nn.Flatten(), head(), nn.Softplus())


# --- weights that are computed


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


@row("the runs share buffer 1.weight_mask, attribute 1.weight, which is not the same for every seed")
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


# --- what comes out


@row("must give 10 logits per image, one tensor (5, 10), got a tuple")
def a_tuple():
    return Own(lambda self, x: (self.head(x.flatten(1)),) * 2, head=head())


@row("got a dict")
def a_dict():
    return Own(lambda self, x: {"logits": self.head(x.flatten(1))}, head=head())


@row("got a list")
def a_list():
    return Own(lambda self, x: [self.head(x.flatten(1))], head=head())


@row("got None")
def nothing():
    return Own(lambda self, x: None, head=head())


@row("got a ndarray")
def an_array():
    return Own(lambda self, x: self.head(x.flatten(1)).detach().numpy(), head=head())


@row("got one of shape (5, 7)")
def too_few_logits():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))


@row("got one of shape (5,)")
def one_number_an_image():
    return Own(lambda self, x: self.head(x.flatten(1)).mean(1), head=head())


@row("got one of torch.int64")
def whole_numbers():
    return Own(lambda self, x: self.head(x.flatten(1)).long(), head=head())


@row("got one of torch.complex")
def complex_logits():
    return Own(lambda self, x: torch.complex(self.head(x.flatten(1)), x.flatten(1)[:, :10]), head=head())


@row("got a tuple")
def a_tuple_in_training_only():
    def forward(self, x):
        logits = self.head(x.flatten(1))
        return (logits, logits) if self.training else logits

    return Own(forward, head=head())


@row("gives logits that no gradient goes through")
def detached():
    return Own(lambda self, x: self.head(x.flatten(1)).detach(), head=head())


@row("gives logits that no gradient goes through")
def through_numpy():
    return Own(lambda self, x: torch.from_numpy(self.head(x.flatten(1)).detach().numpy().copy()), head=head())


@row("gives logits that no gradient goes through")
def without_gradient():
    return Own(torch.no_grad()(lambda self, x: self.head(x.flatten(1))), head=head())


@row("gives logits or gradients that are NaN or infinite in training")
def a_logarithm_of_pixels():
    return Own(lambda self, x: self.head(x.flatten(1).log()), head=head())


@row()
def a_branch_that_is_not_used():
    return Own(lambda self, x: self.head(x.flatten(1)), head=head(), auxiliary=head())


@row()
def a_detached_branch():
    return Own(lambda self, x: self.head(x.flatten(1)) + self.b(x.flatten(1)).detach(), head=head(), b=head())


# --- parameters


@row("has no parameters, so there is nothing to train")
def no_parameters():
    return nn.Sequential(nn.Flatten())


@row("every parameter is trained, but 1.bias must not be (requires_grad)")
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


@row("unused.weight belongs to a lazy layer that did not run")
def lazy_and_not_used():
    return Own(lambda self, x: self.head(x.flatten(1)), head=head(), unused=nn.LazyLinear(3))


@row("must build an nn.Module from the images' shape (1, 8, 8) and the number of classes 10, got RuntimeError")
def lazy_and_wrong():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.Linear(17, 10))


@row()
def of_two_precisions():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10).double())


# --- what remembers


@row("changes the buffer mean in training")
def a_running_mean():
    def forward(self, x):
        x = x.flatten(1)
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return self.head(x - self.mean)

    return Own(forward, head=head(), mean=torch.zeros(64))


@row("changes the buffer n in training")
def a_counter_in_a_buffer():
    def forward(self, x):
        self.n += 1
        return self.head(x.flatten(1)) * self.n

    return Own(forward, head=head(), n=torch.zeros(1))


@row("changes the attribute n in training")
def a_counter():
    def forward(self, x):
        self.n += 1
        return self.head(x.flatten(1)) / self.n

    return Own(forward, head=head(), n=0)


@row("changes the attribute n in training")
def a_counter_that_tells_only_later():
    def forward(self, x):
        self.n += 1
        return self.head(x.flatten(1)) * (2 if self.n > 1000 else 1)

    return Own(forward, head=head(), n=0)


@row("changes the attribute n in evaluation")
def a_counter_of_evaluations():
    def forward(self, x):
        self.n += not self.training
        return self.head(x.flatten(1))

    return Own(forward, head=head(), n=0)


@row("changes the attribute seen in training")
def a_list_that_grows():
    def forward(self, x):
        self.seen.append(len(x))
        return self.head(x.flatten(1))

    return Own(forward, head=head(), seen=[])


class OfTheClass(Own):
    n = 0


@row("changes the class attribute OfTheClass.n in training")
def a_counter_of_the_class():
    def forward(self, x):
        type(self).n += 1
        return self.head(x.flatten(1))

    return OfTheClass(forward, head=head())


@row("gives other logits or gradients for the same images a second time in training")
def a_counter_out_of_sight():
    calls = []

    def forward(self, x):
        calls.append(1)
        return self.head(x.flatten(1)) / len(calls)

    return Own(forward, head=head())


@row("has other logits in a stack of runs than alone")
def what_the_first_batch_sets():
    def forward(self, x):
        x = x.flatten(1)
        if self.scale is None:
            self.scale = x.detach().std()
        return self.head(x / self.scale)

    return Own(forward, head=head(), scale=None)


@row("has other logits in a stack of runs than alone")
def weights_that_are_computed_once():
    def forward(self, x):
        if self.w is None:
            self.w = self.head.weight.detach() * 2
        return x.flatten(1) @ self.w.T + self.head(x.flatten(1))

    return Own(forward, head=head(), w=None)


@row("has other logits in a stack of runs than alone")
def a_largest_value_that_evaluation_reads():
    def forward(self, x):
        x = x.flatten(1)
        if self.training:
            self.most = torch.maximum(self.most, x.detach().max())
            return self.head(x)
        return self.head(x / (1 + self.most))

    return Own(forward, head=head(), most=torch.zeros(()))


@row()
def features_that_are_kept_to_look_at():
    def forward(self, x):
        self.features = self.hidden(x.flatten(1)).relu()
        return self.head(self.features)

    return Own(forward, hidden=nn.Linear(64, 16), head=head(16), features=None)


@row()
def a_mask_that_is_made_once():
    def forward(self, x):
        x = x.flatten(1)
        if self.mask is None:
            self.mask = (torch.arange(x.shape[1]) % 2).to(x.dtype)
        return self.head(x * self.mask)

    return Own(forward, head=head(), mask=None)


class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = head()
        self.state = torch.zeros(10)  # an attribute, no buffer

    def forward(self, x):
        out = self.head(x.flatten(1)) + self.state
        self.state = out.detach().mean(0)
        return out


@row("changes the attribute state in training")
def a_state_that_is_no_buffer():
    return Loop()


@row("the runs share buffer projection, which is not the same for every seed")
def random_features():
    return Own(lambda self, x: self.head(x.flatten(1) @ self.projection), head=head(), projection=torch.randn(64, 64))


@row("the runs share attribute order, which is not the same for every seed")
def an_order_that_is_drawn():
    return Own(lambda self, x: self.head(x.flatten(1)[:, self.order]), head=head(), order=torch.randperm(64).tolist())


@row("changes the attribute 1.n in training")
def a_counter_in_a_backward_hook():
    def count(module, before, after):
        module.n += 1

    net = mlp()
    net[1].n = 0
    net[1].register_full_backward_hook(count)
    return net


@row("holds copy in the memory of the parameter head.weight")
def a_buffer_that_is_a_weight():
    linear = head()
    return Own(
        lambda self, x: F.linear(self.head(x.flatten(1)), self.copy[:, :10]), head=linear, copy=linear.weight.data
    )


@row("has two parameters in the same memory, 1.weight and 3.weight")
def weights_tied_by_their_data():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), head())
    net[3].weight.data = net[1].weight.data
    return net


@row("cannot be run in a stack: RuntimeError: mat1 and mat2 must have the same dtype")
def parameters_in_a_list():
    net = Own(lambda self, x: F.linear(x.flatten(1), *self.used), head=head())
    net.used = list(net.head.parameters())
    return net


# --- what draws


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


@row("gives other logits or gradients for the same images a second time in training")
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


@row("gives other logits or gradients for the same images a second time in evaluation")
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


@row(
    "draws from torch's generator in training, so a run is not the same twice: Dropout(p=0.5, inplace=False); possible is nn.Dropout"
)
def dropout_in_a_module():
    return Own(lambda self, x: self.head(self.drop(x.flatten(1))), head=head(), drop=nn.Dropout(0.5))


@row("possible is nn.Dropout after the Flatten of a plain nn.Sequential of Conv2d, Linear, ReLU and MaxPool2d")
def dropout_before_flatten():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout(), nn.Flatten(), head(144))


@row("Dropout2d(p=0.5, inplace=False); possible is")
def dropout_of_channels():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Dropout2d(), nn.Flatten(), head(144))


@row("draws from torch's generator in training")
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


# --- train() and eval()


@row()
def another_branch_in_evaluation():
    def forward(self, x):
        logits = self.head(x.flatten(1))
        return logits if self.training else logits * 2

    return Own(forward, head=head())


# --- images of a batch that depend on one another


@row("BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True), which keeps")
def batch_norm():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), head(144))


@row("track_running_stats=False")
def batch_norm_without_running_statistics():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64, track_running_stats=False), head())


@row("LazyBatchNorm2d|BatchNorm2d")
def lazy_batch_norm():
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(10))


@row("keeps statistics across a batch; GroupNorm and LayerNorm do not")
def instance_norm_that_remembers():
    return nn.Sequential(nn.InstanceNorm2d(1, track_running_stats=True), nn.Flatten(), head())


@row()
def instance_norm():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.Flatten(), head(144))


@row("gives an image other logits beside other images in training")
def the_batchs_mean():
    return Own(lambda self, x: self.head((x - x.mean(0)).flatten(1)), head=head())


@row("cannot be run on a batch of 1: ValueError: Expected more than 1 value per channel")
def batch_norm_as_a_function():
    return Own(lambda self, x: self.head(F.batch_norm(x.flatten(1), None, None, training=True)), head=head())


@row("cannot be run on a batch of 5: RuntimeError: shape '[64, 64]' is invalid for input of size 320")
def a_batch_size_in_the_code():
    return Own(lambda self, x: self.head(x.view(64, 64)), head=head())


@row("cannot be run on a batch of 1")
def a_squeeze_too_many():
    def forward(self, x):
        return self.head(self.hidden(x.flatten(1).unsqueeze(1)).squeeze()).softmax(1)

    return Own(forward, hidden=nn.Linear(64, 16), head=head(16))


# --- ways to compute


@row()
def checkpointed():
    def forward(self, x):
        return self.head(checkpoint(lambda z: self.hidden(z).relu(), x.flatten(1), use_reentrant=False))

    return Own(forward, hidden=nn.Linear(64, 16), head=head(16))


@row()
def checkpointed_later():
    def forward(self, x):
        h = self.first(x.flatten(1))
        return self.head(checkpoint(lambda z: self.hidden(z).relu(), h, use_reentrant=True))

    return Own(forward, first=nn.Linear(64, 64), hidden=nn.Linear(64, 16), head=head(16))


@row()
def in_place():
    def forward(self, x):
        x -= 0.5
        h = self.hidden(x.flatten(1))
        h += 1
        h[:, 3] = 0.0
        return self.head(h.relu_())

    return Own(forward, hidden=nn.Linear(64, 16), head=head(16))


@row("cannot be trained: RuntimeError: one of the variables needed for gradient computation has been modified")
def in_place_where_it_is_needed():
    def forward(self, x):
        h = torch.sigmoid(self.hidden(x.flatten(1)))
        h += 1
        return self.head(h)

    return Own(forward, hidden=nn.Linear(64, 16), head=head(16))


@row()
def a_view_of_each_image():
    return Own(lambda self, x: self.head(x.view(x.size(0), -1)), head=head())


@row()
def patches():
    def forward(self, x):
        x = x.reshape(x.shape[0], 2, 4, 2, 4).permute(0, 1, 3, 2, 4).reshape(x.shape[0], 4, 16)
        return self.head(self.patch(x).tanh().mean(1))

    return Own(forward, patch=nn.Linear(16, 16), head=head(16))


@row()
def a_decision_by_the_weights():
    def forward(self, x):
        x = x.flatten(1)
        return self.head(x) if self.head.weight.sum().item() > 0 else self.head(2 * x)

    return Own(forward, head=head())


@row()
def as_many_steps_as_the_bias_says():
    def forward(self, x):
        x = x.flatten(1)
        for _ in range(1 + int(self.head.bias.abs().sum() * 10) % 3):
            x = x + self.block(x).tanh()
        return self.head(x)

    return Own(forward, block=nn.Linear(64, 64), head=head())


@row()
def numpys_constants():
    def forward(self, x):
        scale = torch.from_numpy(np.linspace(0.5, 1.5, 64)).to(x.dtype)
        return self.head(x.flatten(1) * scale)

    return Own(forward, head=head())


@row()
def of_functions():
    def forward(self, x):
        x = F.max_pool2d(F.conv2d(x, self.kernel, padding=1).relu(), 2).flatten(1)
        return torch.einsum("bi,ci->bc", x, self.weight)

    kernel, weight = nn.Parameter(torch.randn(4, 1, 3, 3)), nn.Parameter(torch.randn(10, 64) / 8)
    return Own(forward, kernel=kernel, weight=weight)


@row()
def a_list_of_blocks():
    def forward(self, x):
        x = x.flatten(1)
        for block in self.blocks:
            x = x + block(x).tanh()
        return self.head(x)

    return Own(forward, blocks=nn.ModuleList(nn.Linear(64, 64) for _ in range(2)), head=head())


@row()
def a_parameter_list_and_a_dict():
    def forward(self, x):
        return self.layers["head"](x.flatten(1) * self.gains[0] + self.gains[1])

    gains = nn.ParameterList([nn.Parameter(torch.ones(64)), nn.Parameter(torch.zeros(64))])
    return Own(forward, gains=gains, layers=nn.ModuleDict({"head": head()}))


def recurrent(kind, **options):
    def forward(self, x):
        return self.head(self.cells(x.squeeze(1))[0][:, -1])

    return Own(forward, cells=kind(8, 12, batch_first=True, **options), head=head(12))


row(name="rnn")(lambda: recurrent(nn.RNN))
row(name="gru")(lambda: recurrent(nn.GRU))
row(name="lstm_of_two_layers")(lambda: recurrent(nn.LSTM, num_layers=2))
row("draws from torch's generator in training", "lstm_with_dropout")(
    lambda: recurrent(nn.LSTM, num_layers=2, dropout=0.5)
)


@row()
def cells_by_hand():
    def forward(self, x):
        h = x.new_zeros(len(x), 12)
        for rows in x.squeeze(1).unbind(1):
            h = self.cell(rows, h)
        return self.head(h)

    return Own(forward, cell=nn.GRUCell(8, 12), head=head(12))


@row()
def attention():
    def forward(self, x):
        x = x.squeeze(1)
        return self.head(self.attention(x, x, x)[0].flatten(1))

    return Own(forward, attention=nn.MultiheadAttention(8, 2, batch_first=True), head=head())


def encoder(dropout):
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=dropout, batch_first=True)
    return Own(lambda self, x: self.head(self.layer(x.squeeze(1)).flatten(1)), layer=layer, head=head())


row(name="a_transformer_without_dropout")(lambda: encoder(0.0))
row("draws from torch's generator in training", "a_transformer_with_dropout")(lambda: encoder(0.1))


@row()
def group_and_layer_norm():
    def forward(self, x):
        return self.head(self.layer(self.group(self.conv(x)).relu().flatten(1)))

    return Own(forward, conv=nn.Conv2d(1, 4, 3), group=nn.GroupNorm(2, 4), layer=nn.LayerNorm(144), head=head(144))


@row()
def a_complex_buffer():
    def forward(self, x):
        return self.head((torch.fft.fft2(x.squeeze(1)) * self.filter).abs().flatten(1))

    wave = torch.exp(1j * torch.arange(8, dtype=torch.float32))
    return Own(forward, head=head(), filter=wave)


@row()
def whole_buffers():
    order, on = torch.arange(63, -1, -1), torch.arange(64) % 3 > 0
    return Own(lambda self, x: self.head((x.flatten(1) * self.on)[:, self.order]), head=head(), order=order, on=on)


@row()
def a_table_of_pixels():
    def forward(self, x):
        return self.head(self.table((x.flatten(1) > 0).long()).flatten(1))

    return Own(forward, table=nn.Embedding(2, 2), head=head(128))


@row("changes the parameter table.weight in training")
def a_table_of_bounded_norm():
    def forward(self, x):
        return self.head(self.table((x.flatten(1) > 0).long()).flatten(1))

    return Own(forward, table=nn.Embedding(2, 2, max_norm=0.1), head=head(128))


@row()
def in_single_precision_only():
    def forward(self, x):
        return F.linear(x.flatten(1).float(), self.head.weight.float(), self.head.bias.float())

    return Own(forward, head=head())


@row("cannot be trained in fp64: RuntimeError: mat1 and mat2 must have the same dtype")
def in_single_precision_by_force():
    return Own(lambda self, x: self.head(x.flatten(1).float()), head=head())


@row("cannot be copied: TypeError: cannot pickle '_thread.lock' object")
def a_lock():
    import threading

    return Own(lambda self, x: self.head(x.flatten(1)), head=head(), lock=threading.Lock())


@row("cannot be run on a batch of 5: ValueError: no")
def what_raises():
    def forward(self, x):
        raise ValueError("no\n  more")

    return Own(forward, head=head())


@row("cannot be run on a batch of 5: SystemExit: 3")
def what_leaves():
    return Own(lambda self, x: sys.exit(3), head=head())


@row("cannot be trained: RuntimeError: not differentiable")
def a_backward_that_raises():
    class Forth(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return x * 1

        @staticmethod
        def backward(context, gradient):
            raise RuntimeError("not differentiable")

    return Own(lambda self, x: Forth.apply(self.head(x.flatten(1))), head=head())


@row("cannot be run on a batch of 5: UserWarning: careful")
def what_warns_where_warnings_are_errors():
    import warnings

    def forward(self, x):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.warn("careful", stacklevel=1)
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row()
def what_warns():
    import warnings

    def forward(self, x):
        warnings.warn("careful", stacklevel=1)
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row("got TypeError")
def parameters_of_its_own_making():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head()

        def named_parameters(self):
            return self.head.named_parameters()

        def forward(self, x):
            return self.head(x.flatten(1))

    return Odd()


@row("cannot be run on a batch of 5: TypeError")
def a_forward_of_two():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head()

        def forward(self, x, y):
            return self.head(x.flatten(1) + y)

    return Two()


@row("cannot be run on a batch of 5: NotImplementedError")
def no_forward():
    class Without(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head()

    return Without()


@row()
def wrapped_for_several_gpus():
    return nn.DataParallel(mlp())


@row("cannot be |has other")
def scripted():
    return torch.jit.script(mlp())


@row()
def a_traced_graph():
    return torch.fx.symbolic_trace(mlp())


@row()
def what_reads_all_its_parameters():
    def forward(self, x):
        size = sum(p.square().sum() for p in self.parameters())
        return self.head(x.flatten(1)) / (1 + size)

    return Own(forward, head=head())


@row("cannot be trained: RuntimeError")
def a_sparse_gradient():
    def forward(self, x):
        return self.head(self.table((x.flatten(1) > 0).long()).flatten(1))

    return Own(forward, table=nn.Embedding(2, 2, sparse=True), head=head(128))


# --- builders


def builder(name, build, says=None):
    ROWS.append(Row(name, build, says))


builder("a_builder_without_arguments", lambda: mlp(), "TypeError")
builder("a_builder_of_one_argument", lambda classes: mlp(), "got TypeError")
builder(
    "a_builder_that_raises", lambda shape, classes: 1 // 0, "got ZeroDivisionError: integer division or modulo by zero"
)
builder("a_builder_that_leaves", lambda shape, classes: sys.exit("no GPU"), "got SystemExit: no GPU")
builder("a_builder_of_a_class", lambda shape, classes: nn.Linear, "must build an nn.Module, got type")
builder("a_builder_of_nothing", lambda shape, classes: None, "must build an nn.Module, got NoneType")
builder("a_builder_that_is_no_function", 3, "must be a function that builds an nn.Module, got 3")
builder("a_builder_on_a_gpu", lambda shape, classes: mlp().to("cuda"), "got |must be built on the CPU")
builder("a_module_for_a_builder", mlp(), "got TypeError")
_once = mlp()
builder("one_module_for_all", lambda shape, classes: _once, "must be built anew for every run")


@row()
def weights_by_numpy():
    net = mlp()
    net[1].weight.data = torch.from_numpy(np.random.randn(16, 64).astype(np.float32) / 8)
    net[3].bias.data.fill_(random.random())
    return net


@row("must have the same initial weights whenever it is built for a seed, got others for 1.bias")
def weights_from_nowhere():
    net = mlp()
    net[1].bias.data = torch.from_numpy(np.random.default_rng().normal(size=16)).float()
    return net


@row("must have the same parameters for every seed")
def a_width_that_is_drawn():
    width = int(torch.randint(8, 1000, ()))
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), head(width))


@row("has other logits in a stack of runs than alone")
def an_activation_that_is_drawn():
    activation = torch.tanh if torch.rand(()) < 0.5 else torch.sigmoid
    return Own(
        lambda self, x: self.head(activation(self.hidden(x.flatten(1)))), hidden=nn.Linear(64, 16), head=head(16)
    )

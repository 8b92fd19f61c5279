"""Sequentials that are not run K-wide, or not as one might think."""

from types import MethodType

import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn

from training.own_models.rows import Own, head, mlp, row


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


@row("cannot be run on a batch of 5 in training: AttributeError: 'tuple' object")
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


@row("uses parameters in training that no run trains: a lambda, closure or hook refers to the module")
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

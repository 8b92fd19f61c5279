"""Precisions, and modules that do odd things."""

import sys

import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn

from training.own_models.rows import Own, head, mlp, row


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


@row("cannot be run on a batch of 5 in training: ValueError: no")
def what_raises():
    def forward(self, x):
        raise ValueError("no\n  more")

    return Own(forward, head=head())


@row("cannot be run on a batch of 5 in training: SystemExit: 3")
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


@row("cannot be run on a batch of 5 in training: UserWarning: careful")
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


@row("cannot be run on a batch of 5 in training: TypeError")
def a_forward_of_two():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head()

        def forward(self, x, y):
            return self.head(x.flatten(1) + y)

    return Two()


@row("cannot be run on a batch of 5 in training: NotImplementedError")
def no_forward():
    class Without(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head()

    return Without()


@row()
def wrapped_for_several_gpus():
    return nn.DataParallel(mlp())


@row("is compiled by torch.jit, which keeps its own parameters")
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


@row("cannot be run on a batch of 5 in evaluation: ValueError: no")
def what_raises_in_evaluation():
    def forward(self, x):
        if not self.training:
            raise ValueError("no")
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row("changes torch's default dtype in training, which the rest of the program shares")
def another_default_dtype():
    def forward(self, x):
        torch.set_default_dtype(torch.float64)
        return self.head(x.flatten(1))

    return Own(forward, head=head())


@row("is compiled by torch.jit, which keeps its own parameters")
def scripted_in_part():
    return nn.Sequential(nn.Flatten(), torch.jit.script(nn.Linear(64, 16)), nn.ReLU(), nn.Linear(16, 10))


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@row("cannot be run on a batch of 5 in training: UnspeakableError")
def what_raises_what_cannot_be_written():
    def forward(self, x):
        raise UnspeakableError

    return Own(forward, head=head())

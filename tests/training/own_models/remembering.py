"""What remembers."""

import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn

from training.own_models.rows import Own, head, mlp, row


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


@row("gives different logits or gradients for the same images the second time in training")
def a_counter_out_of_sight():
    calls = []

    def forward(self, x):
        calls.append(1)
        return self.head(x.flatten(1)) / len(calls)

    return Own(forward, head=head())


@row("has different logits in a stack of runs than alone")
def what_the_first_batch_sets():
    def forward(self, x):
        x = x.flatten(1)
        if self.scale is None:
            self.scale = x.detach().std()
        return self.head(x / self.scale)

    return Own(forward, head=head(), scale=None)


@row("has different logits in a stack of runs than alone")
def weights_that_are_computed_once():
    def forward(self, x):
        if self.w is None:
            self.w = self.head.weight.detach() * 2
        return x.flatten(1) @ self.w.T + self.head(x.flatten(1))

    return Own(forward, head=head(), w=None)


@row("gives different logits or gradients for the same images in evaluation after it has seen other images or weights")
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


@row()
def parameters_in_a_list():
    net = Own(lambda self, x: F.linear(x.flatten(1), *self.used), head=head())
    net.used = list(net.head.parameters())
    return net

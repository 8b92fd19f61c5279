"""What comes out, and which images it follows from."""

import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn

from training.own_models.rows import Own, head, row


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


@row("gives logits without a gradient")
def detached():
    return Own(lambda self, x: self.head(x.flatten(1)).detach(), head=head())


@row("gives logits without a gradient")
def through_numpy():
    return Own(lambda self, x: torch.from_numpy(self.head(x.flatten(1)).detach().numpy().copy()), head=head())


@row("gives logits without a gradient")
def without_gradient():
    return Own(torch.no_grad()(lambda self, x: self.head(x.flatten(1))), head=head())


@row("gives NaN or infinite logits or gradients in training")
def a_logarithm_of_pixels():
    return Own(lambda self, x: self.head(x.flatten(1).log()), head=head())


@row()
def a_branch_that_is_not_used():
    return Own(lambda self, x: self.head(x.flatten(1)), head=head(), auxiliary=head())


@row()
def a_detached_branch():
    return Own(lambda self, x: self.head(x.flatten(1)) + self.b(x.flatten(1)).detach(), head=head(), b=head())


@row()
def another_branch_in_evaluation():
    def forward(self, x):
        logits = self.head(x.flatten(1))
        return logits if self.training else logits * 2

    return Own(forward, head=head())


@row()
def batch_norm():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), head(144))


@row()
def batch_norm_without_running_statistics():
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64, track_running_stats=False), head())


@row()
def lazy_batch_norm():
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(10))


@row(
    "BatchNorm1d(64, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True), which computes "
    "statistics over a batch or keeps them between batches; this is possible only in a model of known layers, but this "
    "one calls cumsum(1), for which there is no layer"
)
def batch_norm_beside_an_unknown_layer():
    return Own(lambda self, x: self.head(self.norm(x.flatten(1).cumsum(1))), head=head(), norm=nn.BatchNorm1d(64))


@row("which computes statistics over a batch or keeps them between batches; this is possible only in a model of known")
def instance_norm_that_remembers():
    return nn.Sequential(nn.InstanceNorm2d(1, track_running_stats=True), nn.Flatten(), head())


@row()
def instance_norm():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.Flatten(), head(144))


@row("gives an image different logits beside other images in training")
def the_batchs_mean():
    return Own(lambda self, x: self.head((x - x.mean(0)).flatten(1)), head=head())


@row()
def batch_norm_as_a_function():
    return Own(lambda self, x: self.head(F.batch_norm(x.flatten(1), None, None, training=True)), head=head())


@row("cannot be run on a batch of 5 in training: RuntimeError: shape '[64, 64]' is invalid for input of size 320")
def a_batch_size_in_the_code():
    return Own(lambda self, x: self.head(x.view(64, 64)), head=head())


@row("cannot be run on a batch of 1")
def a_squeeze_too_many():
    def forward(self, x):
        return self.head(self.hidden(x.flatten(1).unsqueeze(1)).squeeze()).softmax(1)

    return Own(forward, hidden=nn.Linear(64, 16), head=head(16))


@row("keeps in its attributes what it computes")
def batch_norm_with_a_cumulative_average():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.Flatten(), head(144))


class Warming(nn.BatchNorm1d):
    def forward(self, x):
        self.momentum = max(0.05, 1 / (1 + int(self.num_batches_tracked)))
        return super().forward(x)


@row("keeps in its attributes what it computes")
def batch_norm_whose_momentum_falls():
    return nn.Sequential(nn.Flatten(), Warming(64), head())


class Always(nn.BatchNorm1d):
    def train(self, mode=True):
        return super().train(True)


@row("changes its statistics in evaluation")
def batch_norm_that_is_always_in_training():
    return nn.Sequential(nn.Flatten(), Always(64), head())


@row()
def a_value_that_is_not_given_back():
    def forward(self, x):
        logits = self.head(x.flatten(1))
        logits.softmax(1)
        return logits

    return Own(forward, head=head())


@row()
def another_order_in_memory():
    def forward(self, x):
        x = self.first(x.flatten(1)).view(-1, 1, 8, 8).contiguous(memory_format=torch.channels_last)
        return self.head(self.conv(x).clone().flatten(1))

    return Own(forward, first=nn.Linear(64, 64), conv=nn.Conv2d(1, 4, 3), head=head(144))


@row()
def dropout_of_everything():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Dropout(1.0), head(16))


@row("makes other calls for another seed in training")
def a_share_that_the_seed_draws():
    return nn.Sequential(nn.Flatten(), nn.Dropout(torch.rand(1).item()), head())


@row("batch_norm(a buffer, a buffer, a parameter, a parameter|but this one calls")
def batch_norm_beside_a_constant_buffer():
    return Own(
        lambda self, x: self.head(self.norm(x.flatten(1) - self.mu)),
        mu=torch.ones(64),
        norm=nn.BatchNorm1d(64),
        head=head(),
    )


@row("which computes statistics over a batch")
def batch_norm_of_volumes():
    return Own(lambda self, x: self.head(self.norm(x.unsqueeze(2)).flatten(1)), norm=nn.BatchNorm3d(1), head=head())

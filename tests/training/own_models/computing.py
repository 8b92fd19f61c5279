"""Ways to compute."""

import numpy as np
import torch
import torch.fx
import torch.nn.functional as F
import torch.nn.utils.prune
from torch import nn
from torch.utils.checkpoint import checkpoint

from training.own_models.rows import Own, head, row


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


@row()
def in_single_precision_a_fourier_transform():
    def forward(self, x):
        return self.head((x.flatten(1).to(self.wave.dtype) @ self.wave).real.to(x.dtype))

    return Own(forward, head=head(), wave=torch.fft.fft(torch.eye(64)))


@row()
def in_single_precision_a_product():
    def forward(self, x):
        return self.head((x.flatten(1).float() @ self.inner.weight.float()).to(x.dtype))

    return Own(forward, head=head(), inner=nn.Linear(64, 64, bias=False))


@row()
def in_single_precision_a_norm():
    def forward(self, x):
        wide = (x.flatten(1).float() @ self.inner.weight.float()).softmax(-1)
        return self.head((wide * wide.square().mean(-1, keepdim=True).rsqrt()).type_as(x))

    return Own(forward, head=head(), inner=nn.Linear(64, 64, bias=False))


@row("gives an image different logits beside other images in training")
def a_small_share_of_the_batchs_mean():
    return Own(lambda self, x: self.head((x + 1e-5 * x.mean(0)).flatten(1)), head=head())


@row()
def a_convolution_that_is_patched():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), head(144))
    net[0]._conv_forward = lambda x, weight, bias: F.conv2d(x, weight * 2, bias)
    return net

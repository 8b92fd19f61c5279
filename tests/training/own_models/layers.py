"""Recurrent layers, attention, norms, buffers of other types."""

import torch
import torch.fx
import torch.nn.utils.prune
from torch import nn

from training.own_models.rows import Own, encoder, head, recurrent, row

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


class Residual(nn.Module):
    """No Sequential, a skip connection, group norm, a buffer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, classes)
        self.register_buffer("gain", torch.tensor(0.7))

    def forward(self, x):
        x = self.norm(self.first(x)).tanh()
        x = x + self.gain * self.second(x).relu()
        return self.head(x.mean((2, 3)))


@row()
def a_residual_network():
    return Residual(1, 10)

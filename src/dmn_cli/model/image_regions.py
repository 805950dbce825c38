"""The regions of a picture: pixels → facts.

Xiong et al. 2016, sec. 3.2: the last feature map of a convolutional network is a grid of local vectors v_i. Each is
projected to the space of words, and the grid is read as a snake by the input fusion layer (`input_module.py`):

    f_i = tanh(W v_i + b);   f↔_i = GRU→(f_i, f→_{i-1}) + GRU←(f_i, f←_{i+1})

There the network is VGG-19, trained on ImageNet and kept. Here a small one is trained along: 3 × 3 convolutions, each
of which halves the picture until its map would have fewer cells than there are regions, and one more, so that a region
sees what lies across its border. v_i is the mean over the cells of a region, and where it is: (x, y) from -1 to 1 (as
Liu et al. 2018's CoordConv has it; our departure: a snake of GRUs says little of how far two regions are apart).

    x^0 = 1 - pixels / 255;   x^l = ReLU(K^l ∗ x^{l-1} + b^l);   v_i = [mean over region i of x^L; x_i; y_i]

All regions of a picture are seen by each of its questions, so that both directions of the fusion layer are read once
for all of them (`PictureReader`). Two more departures, for pictures most of whose regions are empty: a fact is also the
region itself, as in the higher layers of fusion, and the GRUs begin by keeping their state (b_z = 2), so that what was
seen outlives the empty regions after it:

    c_i = f_i + f→_i + f←_i
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.input_module import Encoder, FusionReader, keeping
from dmn_cli.model.linear import linear
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Batch
from dmn_cli.records.output import Facts
from dmn_cli.records.regions import PictureForm


class ImageRegions(nn.Module):
    """Pictures → (pictures * regions, hidden), the regions of each in reading order."""

    def __init__(self, form: PictureForm, channels: int, hidden: int) -> None:
        super().__init__()
        self.grid = form.rows, form.columns
        strides = [*[2] * _halvings(form), 1]
        widths = [3, *[channels] * len(strides)]
        self.K = nn.ModuleList(
            _convolution(inputs, outputs, stride)
            for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.W = linear(channels + 2, hidden)
        self.places: Tensor  # (regions, 2) from -1 to 1
        self.snake: Tensor  # (regions,)
        places = torch.tensor(form.places, dtype=torch.float32)
        last = torch.tensor([max(form.rows - 1, 1), max(form.columns - 1, 1)])
        self.register_buffer("places", 2 * places / last - 1, persistent=False)
        self.register_buffer("snake", torch.tensor(form.snake.tolist()), persistent=False)

    def arrange(self, batch: Batch) -> None:
        """Pictures are taken as they come."""

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Tensor:
        assert batch.pictures is not None
        x = 1 - batch.pictures.permute(0, 3, 1, 2).to(self.W.weight.dtype) / 255  # (pictures, 3, height, width)
        for K in self.K:
            x = torch.relu(K(x))
        v = F.adaptive_avg_pool2d(x, self.grid).flatten(2).transpose(1, 2).index_select(1, self.snake)
        places = self.places.to(v.dtype).expand(len(v), -1, -1)
        return torch.tanh(self.W(torch.cat([v, places], dim=2))).flatten(0, 1)


def _halvings(form: PictureForm) -> int:
    """How often the picture can be halved and still has a cell for each region."""
    side, halvings = form.side, 0
    while math.ceil(side / 2) >= max(form.rows, form.columns):
        side, halvings = math.ceil(side / 2), halvings + 1
        if side == 1:
            break
    return halvings


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    """3 × 3, as He et al. 2015 start what is followed by ReLU."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class PictureReader(FusionReader):
    """The input fusion layer over regions, all of which each question sees: a picture is read once, in both directions,
    for all of its questions."""

    def __init__(
        self, regions: Encoder, hidden: int, dropout: float, gru: Callable[..., GatedGRU], layers: int = 1
    ) -> None:
        super().__init__(regions, hidden, dropout, gru, layers)
        keeping(self.forwards)
        keeping(self.backwards)

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Facts:
        f, packings = self.dropout(self.sentences(batch, word_vectors)), batch.fact_packings
        region, pictures = packings.sentence, packings.stories
        right = self.forwards(self.forwards.project(f), pictures, taken=region)
        left = self.backwards(pictures.reverse(region.look_up(self.backwards.project(f))), pictures)
        c = region.look_up(f) + self.dropout(right + pictures.reverse(left))
        for layer in self.higher:
            c = c + self.dropout(layer(c, pictures))
        return Facts(packings.seen.look_up(c), packings.facts)

"""Pictures → facts: regions in reading order, and answers that nothing but the picture and the question decide."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from dmn_cli.data.formats.images import sort_of_clevr
from dmn_cli.model.image_regions import ImageRegions
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.records.batch import Batch, from_arrays
from dmn_cli.records.regions import PictureForm
from dmn_cli.settings.load import load

FORM = PictureForm(5, 5, sort_of_clevr.SIDE)
SETTINGS = {"hidden": 8, "channels": 4, "dropout": 0.0}


def network(form: PictureForm = FORM) -> DynamicMemoryNetwork:
    torch.manual_seed(0)
    settings = {**load("dmn-image").model.model_dump(exclude={"network"}), **SETTINGS}
    return DynamicMemoryNetwork(words=12, answers=5, max_answer_steps=2, pictures=form, **settings).double().eval()


def batch(numbers: list[int], *, regions: list[list[int]] | None = None) -> Batch:
    """Two questions about each picture. regions: those that are seen of each; None: all"""
    seen = [np.array(some) for some in regions or [[*range(FORM.regions)]] * len(numbers)]
    length = np.array([len(some) for some in seen])
    story = np.zeros((len(numbers), length.max()), np.int64)
    for i, some in enumerate(seen):
        story[i, : len(some)] = i * FORM.regions + some
    count = 2 * len(numbers)
    return from_arrays(
        sentences=np.ones((1, 1)),
        story=story,
        story_length=length,
        question_sentences=np.array([[2, 3, 4], [5, 6, 0]]),
        question=np.tile([0, 1], len(numbers)),
        story_of=np.repeat(np.arange(len(numbers)), 2),
        facts_seen=np.repeat(length, 2),
        per_fact=np.zeros(count),
        answer=np.tile([[1, 0], [2, 0]], (len(numbers), 1)),
        support=np.tile([[3, -1], [4, 7]], (len(numbers), 1)),
        task=np.zeros(count),
        pictures=np.stack([picture for n in numbers for picture in sort_of_clevr.pictures(range(n, n + 1), 1)]),
        regions=FORM.regions,
    )


def said(net: DynamicMemoryNetwork, b: Batch, question: int) -> list[torch.Tensor]:
    output = net(b)
    facts = int(b.facts_seen[question])
    return [output.logits[question], output.episode.gates[question, :, :facts], output.episode.memory[question]]


def test_regions_are_read_as_a_snake() -> None:
    form = PictureForm(3, 2, 6)
    assert form.snake.tolist() == [0, 1, 3, 2, 4, 5]
    assert form.names[2:4] == ["row 2, column 2", "row 2, column 1"]
    assert [form.region_at(x, y) for x, y in ((0.1, 0.5), (0.9, 0.5), (0.9, 1.0))] == [3, 2, 5]
    places = [divmod(int(region), form.columns) for region in form.snake]
    for (row, column), (next_row, next_column) in pairwise(places):
        assert abs(row - next_row) + abs(column - next_column) == 1


def test_a_fact_is_what_lies_in_its_region() -> None:
    """A spot changes the fact of its region, wherever it is, and none that is three regions away."""
    torch.manual_seed(0)
    regions = ImageRegions(FORM, channels=8, hidden=16)
    blank = np.full((1, *FORM.shape), 255, np.uint8)
    for fact, (row, column) in enumerate(FORM.places):
        spotted = blank.copy()
        spotted[0, 15 * row + 5 : 15 * row + 10, 15 * column + 5 : 15 * column + 10] = 0
        told = [replace(batch([0]), pictures=torch.from_numpy(picture)) for picture in (blank, spotted)]
        without, with_spot = (regions(b, None) for b in told)  # type: ignore[arg-type]
        changed = (with_spot != without).any(dim=1).tolist()
        assert changed[fact]
        far = [max(abs(row - r), abs(column - c)) >= 3 for r, c in FORM.places]
        assert not any(there and away for there, away in zip(changed, far, strict=True))


def test_other_pictures_and_their_order_change_no_answer() -> None:
    net = network()
    alone = said(net, batch([7]), 1)
    for numbers, question in (([7, 8, 9], 1), ([9, 8, 7], 5)):
        for one, other in zip(alone, said(net, batch(numbers), question), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_padding_changes_no_answer() -> None:
    """A picture of which fewer regions are seen than of the other one of its batch."""
    net, few = network(), [[0, 1, 5, 9]]
    alone = said(net, batch([7], regions=few), 0)
    beside = said(net, batch([7, 8], regions=[*few, [*range(FORM.regions)]]), 0)
    for one, other in zip(alone, beside, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_vectors_take_the_place_of_pixels() -> None:
    form = PictureForm(5, 5, width=6)
    torch.manual_seed(1)
    b = replace(batch([7, 8]), pictures=None, vectors=torch.randn(2 * form.regions, 6).double())
    output = network(form)(b)
    assert output.episode.gates.shape == (4, 2, form.regions)
    torch.testing.assert_close(output.episode.gates.sum(dim=2), torch.ones(4, 2).double())


def test_all_that_is_trained_gets_a_gradient() -> None:
    net = network().train()
    losses = net.losses(batch([7, 8]), "ordered")
    assert losses.gates is not None
    (losses.answers + losses.gates).sum().backward()
    assert [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()] == []

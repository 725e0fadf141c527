"""The random numbers of one operation."""

import numpy as np
import pytest
import torch
from scipy import stats

from cellssl.augment import Draws, catalogue
from cellssl.augment.draws import draw_ahead
from cellssl.augment.operation import stream_of

from .examples import draws, keys

FREE = draws("rotate")


def pinned(strength: float) -> Draws:
    return Draws(keys(3), stream_of("rotate", 0), channels=2, size=8, strength=strength)


def test_amplitudes_are_uniform_between_their_ends() -> None:
    drawn = FREE.amplitude(0, -2.0, 3.0, count=2)
    assert drawn.shape == (20_000, 2)
    assert stats.kstest(drawn.numpy().ravel(), "uniform", args=(-2, 5)).pvalue > 1e-4
    assert torch.equal(drawn[:, 1], FREE.amplitude(1, -2.0, 3.0))
    assert torch.equal(drawn, FREE.uniform(0, -2.0, 3.0, count=2))


@pytest.mark.parametrize(
    ("low", "high", "neutral", "extreme"),
    [
        (-2.0, 3.0, 0.0, 3.0),
        (-3.0, 3.0, 0.0, 3.0),
        (-3.0, 2.0, 0.0, -3.0),
        (0.5, 1.2, 1.0, 0.5),
        (0.3, 0.9, 1.0, 0.3),
    ],
)
def test_pinned_amplitudes_lie_between_nothing_and_the_further_end(
    low: float, high: float, neutral: float, extreme: float
) -> None:
    for strength in (0.0, 0.25, 1.0):
        drawn = pinned(strength).amplitude(0, low, high, count=4, neutral=neutral)
        expected = neutral + strength * (extreme - neutral)
        assert torch.allclose(drawn, torch.full((3, 4), expected))


def test_directions_stay_random_where_amplitudes_are_pinned() -> None:
    free = Draws(keys(3), stream_of("rotate", 0), channels=2, size=8)
    assert torch.equal(pinned(1.0).uniform(5, 0.0, 1.0), free.uniform(5, 0.0, 1.0))
    assert pinned(0.0).chance(0.0).all()


@pytest.mark.parametrize("p", [0.0, 0.05, 0.5, 1.0])
def test_chances_come_true_as_often_as_they_say(p: float) -> None:
    touched = FREE.chance(p)
    assert touched.dtype == torch.bool
    assert stats.binomtest(int(touched.sum()), 20_000, p).pvalue > 1e-4


def test_whether_is_independent_of_how_strong() -> None:
    touched, drawn = FREE.chance(0.5), FREE.amplitude(0, 0.0, 1.0)
    assert stats.ks_2samp(drawn[touched].numpy(), drawn[~touched].numpy()).pvalue > 1e-4


@pytest.mark.parametrize("choices", [2, 3, 7])
def test_whole_draws_take_every_choice_as_often(choices: int) -> None:
    drawn = FREE.whole(0, choices, count=2)
    assert drawn.dtype == torch.int64
    counts = np.bincount(drawn.numpy().ravel())
    assert len(counts) == choices
    assert stats.chisquare(counts).pvalue > 1e-4


def test_two_operations_and_two_of_one_draw_independently() -> None:
    alone = FREE.uniform(0, 0.0, 1.0)
    for name, occurrence in (("zoom", 0), ("rotate", 1)):
        other = Draws(keys(20_000), stream_of(name, occurrence), 3, 64).uniform(0, 0.0, 1.0)
        assert abs(np.corrcoef(alone.numpy(), other.numpy())[0, 1]) < 4.5 / 20_000**0.5


def test_no_two_operations_share_a_stream() -> None:
    streams = {stream_of(name, occurrence) for name in catalogue() for occurrence in range(4)}
    assert len(streams) == 4 * len(catalogue())


def test_numbers_drawn_ahead_are_those_drawn_one_by_one() -> None:
    streams = [stream_of(name, 0) for name in ("rotate", "flip", "zoom")]
    for stream, ahead in zip(streams, draw_ahead(keys(3), [(s, 4) for s in streams]), strict=True):
        hashed = Draws(keys(3), stream, channels=2, size=8)
        looked_up = Draws(keys(3), stream, channels=2, size=8, ahead=ahead)
        assert torch.equal(looked_up.chance(0.5), hashed.chance(0.5))
        for index, count in ((0, None), (0, 3), (2, 1), (2, 2), (9, 2)):  # the last two go beyond
            expected = hashed.uniform(index, -1.0, 1.0, count=count)
            assert torch.equal(looked_up.uniform(index, -1.0, 1.0, count=count), expected)


def test_nothing_to_draw_ahead() -> None:
    assert draw_ahead(keys(3), []) == []

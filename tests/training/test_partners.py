"""Partners: always of the group, never oneself, apart where asked, the same whatever the batch."""

import logging

import numpy as np
import pytest
import torch

from cellssl.errors import TrainingError
from cellssl.training import Partners


def draw(partners: Partners, epoch: int = 0) -> np.ndarray:
    index = torch.arange(len(partners))
    return partners.draw(index, samples=index + 1000, seed=0, epoch=epoch).numpy()


def test_partners_are_others_of_the_group() -> None:
    groups = np.random.default_rng(0).integers(0, 7, 300).astype(str)
    partners = Partners(groups)
    for epoch in range(5):
        drawn = draw(partners, epoch)
        assert (groups[drawn] == groups).all()
        assert (drawn != np.arange(300)).all()
    assert (draw(partners, 0) != draw(partners, 1)).mean() > 0.8


def test_partners_lie_on_another_plate() -> None:
    generator = np.random.default_rng(1)
    treatments, plates = generator.integers(0, 5, 400), generator.integers(0, 3, 400).astype(str)
    partners = Partners(treatments, plates)
    for epoch in range(5):
        drawn = draw(partners, epoch)
        assert (treatments[drawn] == treatments).all()
        assert (plates[drawn] != plates).all()


def test_every_candidate_is_as_likely() -> None:
    partners = Partners(np.zeros(6), np.array([0, 0, 1, 1, 2, 2]))
    counts = np.zeros((6, 6))
    for epoch in range(2000):
        counts[np.arange(6), draw(partners, epoch)] += 1
    allowed = np.array([[a // 2 != b // 2 for b in range(6)] for a in range(6)])
    assert (counts[~allowed] == 0).all()
    assert np.abs(counts[allowed] / 2000 - 0.25).max() < 0.05


def test_draws_do_not_depend_on_the_batch() -> None:
    partners = Partners(np.arange(60) % 4)
    samples = torch.arange(60) * 17
    index = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    whole = partners.draw(index, samples=samples[index], seed=3, epoch=torch.tensor(2))
    parts = [partners.draw(i, samples=samples[i], seed=3, epoch=2) for i in index.split(7)]
    assert torch.equal(whole, torch.cat(parts))


def test_they_stay_where_they_are_when_a_device_gets_them() -> None:
    """The next run of the same partners draws on the CPU to say what it is."""
    partners, index = Partners(np.array(["a", "b", "a", "b"])), torch.arange(4)
    moved = partners.to("meta").draw(index.to("meta"), samples=index.to("meta"), seed=0, epoch=0)
    assert moved.is_meta
    assert partners.draw(index, samples=index, seed=0, epoch=0).tolist() == [2, 3, 0, 1]


def test_the_lonely_are_their_own_partners_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        partners = Partners(np.array(["a", "a", "b", "c", "c"]), np.array([1, 2, 1, 1, 1]))
    assert partners.alone == 3
    assert draw(partners).tolist() == [1, 0, 2, 3, 4]
    assert "3 of 5 cells have no partner" in caplog.text


def test_nobody_with_a_partner_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no image has a partner"):
        Partners(np.arange(5))

"""The hash behaves like independent uniform numbers, and like a pure function."""

import numpy as np
import pytest
import torch
from scipy import stats

from cellssl.augment import counters
from cellssl.augment.counters import make_keys, noise_bank, noise_field, normal, uniform

COUNT = 100_000


def draws(
    *, seed: int = 0, epoch: int = 0, view: int = 0, operation: int = 1, number: int = 0
) -> np.ndarray:
    keys = make_keys(seed, epoch, torch.arange(COUNT), view)
    return uniform(keys, operation, number).numpy().astype(float)


def test_hash_equals_a_plain_integer_version() -> None:
    values = torch.tensor([0, 1, -1, 2**62, -(2**63), 123456789])
    mixed = counters._mix(values)
    assert mixed.tolist() == [counters._mix_integer(int(value)) for value in values]


def test_hash_is_splitmix64() -> None:
    # First outputs of SplitMix64 seeded with 1234567, as published with its reference code.
    golden = 0x9E3779B97F4A7C15
    states = [(1234567 + step * golden) & (2**64 - 1) for step in (1, 2, 3)]
    outputs = [counters._mix_integer(state) & (2**64 - 1) for state in states]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize(
    "change", [{}, {"seed": 1}, {"epoch": 7}, {"view": 1}, {"operation": 2**40}, {"number": 3}]
)
def test_draws_are_uniform(change: dict[str, int]) -> None:
    values = draws(**change)
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > 1e-4
    counts = np.bincount((values * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"epoch": 1}, {"view": 1}, {"operation": 2}, {"number": 1}]
)
def test_neighbouring_counters_are_independent(change: dict[str, int]) -> None:
    first, second = draws(), draws(**change)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4.5 / np.sqrt(COUNT)
    cells = np.histogram2d(first, second, bins=16)[0].ravel()
    assert stats.chisquare(cells).pvalue > 1e-4


@pytest.mark.parametrize("lag", [1, 2, 3, 16, 256])
def test_neighbouring_samples_are_independent(lag: int) -> None:
    values = draws()
    assert abs(np.corrcoef(values[lag:], values[:-lag])[0, 1]) < 4.5 / np.sqrt(COUNT)
    cells = np.histogram2d(values[lag:], values[:-lag], bins=16)[0].ravel()
    assert stats.chisquare(cells).pvalue > 1e-4


def test_no_two_keys_collide() -> None:
    keys = torch.cat(
        [
            make_keys(seed, epoch, torch.arange(5_000), view)
            for seed in (0, 1)
            for epoch in range(5)
            for view in (0, 1)
        ]
    )
    assert len(keys.unique()) == len(keys)


def test_every_bit_of_the_sample_flips_half_of_the_result() -> None:
    samples = torch.arange(4_000)
    for bit in (0, 5, 20, 40, 62):
        flipped = make_keys(0, 0, samples) ^ make_keys(0, 0, samples ^ (1 << bit))
        shares = torch.stack([(flipped >> place) & 1 for place in range(64)]).float().mean(dim=1)
        assert (shares - 0.5).abs().max() < 5 * 0.5 / 4_000**0.5


def test_draws_do_not_depend_on_the_batch() -> None:
    samples = torch.randperm(64)
    whole = uniform(make_keys(0, 2, samples), 5, 1)
    halves = [uniform(make_keys(0, 2, part), 5, 1) for part in samples.split(7)]
    assert torch.equal(whole, torch.cat(halves))


def test_epoch_and_seed_may_be_tensors() -> None:
    samples = torch.arange(8)
    plain = make_keys(11, 3, samples)
    assert torch.equal(plain, make_keys(torch.tensor(11), torch.tensor(3), samples))


def test_count_gives_consecutive_numbers() -> None:
    keys = make_keys(0, 0, torch.arange(5))
    several = uniform(keys, 9, 4, 3)
    assert torch.equal(several, torch.stack([uniform(keys, 9, 4 + i) for i in range(3)], dim=1))


def test_normal_draws_are_normal() -> None:
    values = normal(make_keys(0, 0, torch.arange(COUNT)), 1, 0).numpy()
    assert np.isfinite(values).all()
    assert stats.kstest(values, "norm").pvalue > 1e-4


def test_noise_fields_are_white_and_differ() -> None:
    keys = make_keys(0, 0, torch.arange(64))
    field = noise_field(noise_bank(), keys, 3, 0, shape=(2, 32, 32))
    assert field.shape == (64, 2, 32, 32)
    assert abs(float(field.mean())) < 0.02
    assert abs(float(field.std()) - 1) < 0.02
    flat = torch.corrcoef(field.reshape(128, -1))
    assert (flat - torch.eye(128)).abs().max() < 6 / 32
    again = noise_field(noise_bank(), keys[5:6], 3, 0, shape=(2, 32, 32))
    assert torch.equal(field[5:6], again)


def test_samples_must_be_integers() -> None:
    with pytest.raises(TypeError, match="wanted \\(N,\\) int64"):
        make_keys(0, 0, torch.rand(3))

"""The hash behaves like independent uniform numbers, and like a pure function."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from cellssl.augment import counters
from cellssl.augment.counters import (
    hashed,
    make_keys,
    noise_bank,
    noise_field,
    noise_windows,
    normal,
    uniform,
)

COUNT = 100_000
BANK = noise_bank()


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


@pytest.mark.parametrize(
    "change", [{}, {"seed": 1}, {"epoch": 7}, {"view": 1}, {"operation": 2**40}, {"number": 3}]
)
def test_runs_above_and_below_the_middle_are_as_many_as_of_coins(change: dict[str, int]) -> None:
    # Wald & Wolfowitz 1940.
    above = draws(**change) > 0.5
    high, low = int(above.sum()), int((~above).sum())
    runs = 1 + int((above[1:] != above[:-1]).sum())
    mean = 2 * high * low / COUNT + 1
    variance = (mean - 1) * (mean - 2) / (COUNT - 1)
    assert abs(runs - mean) < 4.5 * variance**0.5


def test_longest_runs_are_as_of_coins() -> None:
    above = draws() > 0.5
    ends = np.flatnonzero(np.diff(above))
    lengths = np.diff(ends).clip(max=8)
    counts = np.bincount(lengths, minlength=9)[1:]
    chances = np.array([0.5**length for length in range(1, 8)] + [0.5**7])
    assert stats.chisquare(counts, chances * counts.sum()).pvalue > 1e-4


@pytest.mark.parametrize("axis", ["sample", "number", "epoch"])
def test_three_in_a_row_fill_the_cube(axis: str) -> None:
    # The serial test in three dimensions: linear generators put such points on few planes.
    samples = torch.arange(3 * COUNT)
    if axis == "sample":
        points = uniform(make_keys(0, 0, samples), 1, 0).reshape(-1, 3)
    elif axis == "number":
        points = uniform(make_keys(0, 0, samples[:COUNT]), 1, 0, 3)
    else:
        columns = [uniform(make_keys(0, epoch, samples[:COUNT]), 1, 0) for epoch in range(3)]
        points = torch.stack(columns, dim=1)
    cells = np.histogramdd(points.numpy(), bins=8, range=[(0, 1)] * 3)[0].ravel()
    assert stats.chisquare(cells).pvalue > 1e-4


def test_every_order_of_four_is_as_likely() -> None:
    orders = uniform(make_keys(0, 0, torch.arange(COUNT)), 1, 0, 4).argsort(dim=1)
    counts = (orders * torch.tensor([64, 16, 4, 1])).sum(dim=1).unique(return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


def test_every_bit_is_as_often_0_as_1() -> None:
    keys = make_keys(0, 0, torch.arange(COUNT))
    whole = hashed(keys, 1, 0)
    for values, bits in ((keys, 64), (whole, 62)):
        shares = torch.stack([(values >> bit) & 1 for bit in range(bits)]).double().mean(dim=1)
        assert (shares - 0.5).abs().max() < 5 * 0.5 / COUNT**0.5


def test_no_two_bits_agree_more_often_than_not() -> None:
    keys = make_keys(0, 0, torch.arange(COUNT))
    bits = torch.stack([(keys >> bit) & 1 for bit in range(64)]).double()
    assert (torch.corrcoef(bits) - torch.eye(64)).abs().max() < 5.5 / COUNT**0.5


def test_whole_numbers_lie_from_0_to_2_to_the_62() -> None:
    whole = hashed(make_keys(0, 0, torch.arange(COUNT)), 1, 0)
    assert whole.dtype == torch.int64
    assert whole.min() >= 0
    assert whole.max() < 2**62
    assert stats.kstest(whole.numpy() / 2**62, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("samples", [[0, 1], [2**62, 2**62 + 1], [-1, -2], [2**63 - 1, -(2**63)]])
@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1, -(2**63)])
def test_counters_may_be_of_any_size(samples: list[int], seed: int) -> None:
    numbers = torch.tensor(samples)
    keys = make_keys(seed, 10**12, numbers)
    assert torch.equal(keys, make_keys(torch.tensor(seed), torch.tensor(10**12), numbers))
    assert keys[0] != keys[1]
    assert not torch.equal(keys, make_keys(seed ^ 1, 10**12, numbers))


def test_seed_and_epoch_are_not_exchangeable() -> None:
    samples = torch.arange(1000)
    assert not (make_keys(1, 2, samples) == make_keys(2, 1, samples)).any()
    assert not (make_keys(0, 1, samples) == make_keys(0, 0, samples + 1)).any()


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


# --- noise fields ---------------------------------------------------------------------------


def field_of(keys: Tensor, *, channels: int = 2, size: int = 32, number: int = 0) -> Tensor:
    windows = noise_windows(keys, 3, number, count=channels)
    return noise_field(BANK, windows, size, size)


def test_the_bank_is_normal_and_always_the_same() -> None:
    assert torch.equal(BANK, noise_bank())
    assert torch.equal(BANK[:1000], noise_bank(1000))
    assert stats.kstest(BANK[:COUNT].numpy(), "norm").pvalue > 1e-4
    assert abs(float(BANK.mean())) < 4.5 / BANK.numel() ** 0.5
    assert abs(float(BANK.std()) - 1) < 4.5 / (2 * BANK.numel()) ** 0.5


def test_noise_fields_are_white_and_differ() -> None:
    keys = make_keys(0, 0, torch.arange(64))
    field = field_of(keys)
    assert field.shape == (64, 2, 32, 32)
    assert abs(float(field.mean())) < 0.02
    assert abs(float(field.std()) - 1) < 0.02
    flat = torch.corrcoef(field.reshape(128, -1))
    assert (flat - torch.eye(128)).abs().max() < 6 / 32
    assert torch.equal(field[5:6], field_of(keys[5:6]))
    assert not torch.equal(field, field_of(keys, number=7))


@pytest.mark.parametrize(("down", "right"), [(0, 1), (1, 0), (1, 1), (0, 5)])
def test_neighbouring_pixels_of_noise_are_independent(down: int, right: int) -> None:
    field = field_of(make_keys(0, 0, torch.arange(64)))
    first = field[..., : 32 - down, : 32 - right].flatten()
    second = field[..., down:, right:].flatten()
    correlation = float(torch.corrcoef(torch.stack([first, second]))[0, 1])
    assert abs(correlation) < 4.5 / first.numel() ** 0.5


def test_noise_of_either_sign_is_as_likely() -> None:
    windows = noise_windows(make_keys(0, 0, torch.arange(COUNT)), 3, 0, count=1)
    odd = int((windows & 1).sum())
    assert stats.binomtest(odd, COUNT).pvalue > 1e-4
    ones = noise_field(torch.ones(100), windows[:1000], 2, 2)
    assert set(ones.unique().tolist()) == {-1.0, 1.0}


def test_windows_begin_anywhere_in_the_bank() -> None:
    ramp = torch.arange(1000 + 16, dtype=torch.float32) + 1
    windows = noise_windows(make_keys(0, 0, torch.arange(COUNT)), 3, 0, count=1)
    begins = noise_field(ramp, windows, 4, 4).abs()[:, 0]
    assert torch.equal(begins[:, 0, 0] + 15, begins[:, 3, 3])  # rows follow each other
    counts = torch.bincount(begins[:, 0, 0].long() - 1, minlength=1000).numpy()
    assert len(counts) == 1000
    assert stats.chisquare(counts).pvalue > 1e-4


def test_samples_must_be_integers() -> None:
    with pytest.raises(TypeError, match="wanted \\(N,\\) int64"):
        make_keys(0, 0, torch.rand(3))

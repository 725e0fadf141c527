"""Photons and camera: whole distributions, not only their width."""

import numpy as np
import pytest
import torch
from scipy import special, stats

from .examples import apply, draws, make, pictures, see, see_all

PHOTONS = 200.0


def counted(expected: float, *, count: int = 40, size: int = 32) -> np.ndarray:
    """Photons in every pixel of a flat picture, as a view counts them."""
    flat = torch.full((count, 1, size, size), expected / PHOTONS)
    return see(make("shot_noise", photons=(PHOTONS, PHOTONS)), flat).numpy() * PHOTONS


# --- photons --------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [0.2, 1.0, 3.9, 4.1, 10.0, 60.0])
def test_photons_are_whole_and_poisson_distributed(expected: float) -> None:
    photons = counted(expected)
    assert np.abs(photons - photons.round()).max() < 1e-3
    photons = photons.round().astype(int).ravel()
    error = np.sqrt(expected / photons.size)
    assert abs(photons.mean() - expected) < 4.5 * error
    # The fourth moment of a Poisson distribution is λ + 3λ².
    assert (
        abs(photons.var() - expected)
        < 4.5 * np.sqrt(expected + 2 * expected**2) / len(photons) ** 0.5
    )
    edges = np.arange(photons.max() + 2)
    chances = stats.poisson.pmf(edges, expected)
    chances[-1] = stats.poisson.sf(edges[-2], expected)
    found = np.bincount(photons, minlength=len(edges))
    common = chances * photons.size >= 5
    rest = (found[~common].sum(), chances[~common].sum())
    observed = np.append(found[common], rest[0])
    wanted = np.append(chances[common], rest[1]) * photons.size
    wanted *= observed.sum() / wanted.sum()  # of what is rounded: sums must be equal
    assert stats.chisquare(observed, wanted).pvalue > 1e-4


@pytest.mark.parametrize(
    ("expected", "apart"),
    [(0.2, 1e-5), (1.0, 1e-5), (3.9, 2e-5), (4.1, 3e-3), (10.0, 1e-3), (60.0, 1e-4)],
)
def test_counts_are_quantiles_of_the_poisson_distribution(expected: float, apart: float) -> None:
    # `apart` is the total variation distance: summed chances up to 4 photons, an expansion above.
    field = torch.tensor(special.ndtri((np.arange(10**6) + 0.5) / 10**6)).reshape(1, 1, 1000, 1000)
    flat = torch.full((1, 1, 1000, 1000), expected / PHOTONS, dtype=torch.float64)
    params = {"photons": torch.tensor([[PHOTONS]]).double(), "field": field}
    photons = apply("shot_noise", flat, params, photons=(1.0, PHOTONS)) * PHOTONS
    found = np.bincount(photons.round().int().flatten().numpy()) / 10**6
    chances = stats.poisson.pmf(np.arange(len(found)), expected)
    assert np.abs(found - chances).sum() / 2 < apart


def test_darkness_stays_dark_and_more_light_is_relatively_less_noisy() -> None:
    assert not counted(0.0).any()
    noise = [counted(expected).std() / expected for expected in (1.0, 10.0, 100.0)]
    assert noise == pytest.approx([1.0, 0.316, 0.1], rel=0.03)


def test_pixels_and_channels_are_counted_independently() -> None:
    flat = torch.full((8, 2, 32, 32), 0.2)
    made = see(make("shot_noise", photons=(50, 50)), flat).reshape(16, -1)
    assert (torch.corrcoef(made) - torch.eye(16)).abs().max() < 6 / 32
    assert (
        abs(
            float(
                torch.corrcoef(torch.stack([made[:, 1:].flatten(), made[:, :-1].flatten()]))[0, 1]
            )
        )
        < 0.03
    )


def test_photons_at_full_scale_are_log_uniform() -> None:
    operation = make("shot_noise", photons=(10, 1000))
    photons = operation.parameters(draws("shot_noise"))["photons"].numpy()[:, 0]
    assert stats.kstest(np.log10(photons), "uniform", args=(1, 2)).pvalue > 1e-4


def test_uncounted_samples_keep_every_bit() -> None:
    images = pictures(200, size=8)
    operation = make("shot_noise", photons=(50, 50), p=0.5)
    touched = operation.parameters(draws("shot_noise", count=200))["photons"][:, 0].isfinite()
    made = see(operation, images)
    assert 60 < int(touched.sum()) < 140
    assert torch.equal(made[~touched], images[~touched])


# --- electronics ----------------------------------------------------------------------------


def test_read_noise_is_normal_with_the_drawn_deviation() -> None:
    flat = torch.full((64, 2, 32, 32), 0.5)
    noise = see(make("read_noise", sigma=(0.05, 0.05)), flat) - flat
    assert float(noise.std()) == pytest.approx(0.05, rel=0.02)
    assert abs(float(noise.mean())) < 0.001
    assert stats.kstest(noise[:, :, ::4, ::4].numpy().ravel() / 0.05, "norm").pvalue > 1e-4


def test_read_noise_draws_a_deviation_for_each_sample() -> None:
    operation = make("read_noise", sigma=(0.01, 0.1))
    sigma = operation.parameters(draws("read_noise", count=64))["sigma"][:, 0]
    flat = torch.full((64, 1, 32, 32), 0.5)
    found = (see(operation, flat) - flat).std(dim=(1, 2, 3))
    assert torch.allclose(found, sigma, rtol=0.1)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3])
def test_so_many_pixels_are_hot(share: float) -> None:
    images = pictures(64, channels=2, size=32) * 0.5
    made = see(make("hot_pixels", share=(share, share), level=0.9), images)
    hot = made != images
    assert torch.equal(made[hot], torch.full_like(made[hot], 0.9))
    found, pixels = int(hot.sum()), hot.numel()
    assert abs(found - share * pixels) < 4.5 * (share * (1 - share) * pixels) ** 0.5
    places = hot.float().mean(dim=(0, 1))  # no place is preferred
    assert (places - share).abs().max() < 5.5 * (share * (1 - share) / 128) ** 0.5 + 1 / 128


# --- grey values ----------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 2, 8, 12, 16])
def test_bit_depth_rounds_to_the_levels_of_the_camera(bits: int) -> None:
    images = pictures()
    levels = 2**bits - 1
    made = see(make("bit_depth", bits=(bits, bits)), images)
    assert torch.equal(made, torch.round(images * levels) / levels)
    assert len(made.unique()) <= 2**bits
    ends = torch.tensor([0.0, 1.0]).expand(1, 1, 2, 2)
    assert torch.equal(see(make("bit_depth", bits=(bits, bits)), ends), ends)


def test_every_number_of_bits_is_as_likely() -> None:
    steps = make("bit_depth", bits=(3, 6)).parameters(draws("bit_depth"))["steps"]
    values, counts = steps.unique(return_counts=True)
    assert values.tolist() == [7, 15, 31, 63]
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


def test_saturation_cuts_off_at_its_level() -> None:
    images = pictures(2, channels=2)
    levels = torch.tensor([[0.2, 1.0], [0.0, float("inf")]])
    made = apply("saturation", images, {"level": levels}, level=(0.0, 1.0))
    assert torch.equal(made, torch.minimum(images, levels[:, :, None, None]))
    drawn = make("saturation", level=(0.3, 0.9)).parameters(draws("saturation"))["level"]
    assert drawn.min() >= 0.3
    assert drawn.max() <= 0.9


def test_an_exposure_is_cut_off_before_it_is_read() -> None:
    # Light, photons, full well, electronics, grey values: in this order a bright pixel of a view
    # still differs from its neighbours by the noise of the electronics alone.
    steps = [
        make("stain_gain", amplitude=0.0),
        make("shot_noise", photons=(100, 100)),
        make("saturation", level=(0.5, 0.5)),
        make("read_noise", sigma=(0.01, 0.01)),
        make("bit_depth", bits=(8, 8)),
    ]
    made = see_all(steps, torch.full((16, 1, 32, 32), 0.95))
    assert float(made.mean()) == pytest.approx(0.5, abs=0.001)
    assert float(made.std()) == pytest.approx(0.01, rel=0.05)
    assert torch.allclose(made * 255, (made * 255).round(), atol=1e-4)

"""Blur, resolution, alignment: against scipy, torch, and averages made another way."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, signal, special
from torch.nn import functional
from torchvision.transforms.v2 import functional as reference

from cellssl.augment.gaussian import gaussian_blur

from .examples import CHANNELS, apply, column, draws, make, pictures, see

# --- Gaussian -------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(24, 24), (24, 33), (50, 70), (96, 5), (5, 5)])
def test_blur_equals_scipy(height: int, width: int) -> None:
    images = torch.rand(4, 2, height, width, generator=torch.Generator().manual_seed(1))
    sigmas = [0.3, 0.9, 1.7, 2.0]
    made = gaussian_blur(images, column(*sigmas), largest=2.0)
    for image, sigma, result in zip(images, sigmas, made, strict=True):
        expected = ndimage.gaussian_filter(image.numpy(), (0, sigma, sigma), mode="mirror")
        assert np.abs(result.numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.75])
def test_blur_equals_torchvision_with_a_kernel_of_four_sigmas(sigma: float) -> None:
    made = apply("blur", pictures(), {"sigma": torch.full((4, 1), sigma)})
    expected = reference.gaussian_blur(pictures(), 2 * int(4 * sigma + 0.5) + 1, sigma)
    assert torch.allclose(made, expected, atol=1e-5)


def test_blur_by_channel_and_by_nothing() -> None:
    images = pictures(1, channels=2)
    made = gaussian_blur(images, torch.tensor([[0.0, 1.3]]), largest=1.5)
    assert torch.equal(made[:, 0], images[:, 0])
    expected = ndimage.gaussian_filter(images[0, 1].numpy(), 1.3, mode="mirror")
    assert np.abs(made[0, 1].numpy() - expected).max() < 1e-5


def test_defocus_draws_one_sigma_for_all_channels() -> None:
    sigma = make("defocus", sigma=(0.5, 1.5)).parameters(draws("defocus"))["sigma"]
    assert sigma.shape == (20_000, 1)
    assert sigma.min() >= 0.5
    assert sigma.max() <= 1.5
    assert float(sigma.mean()) == pytest.approx(1.0, abs=0.01)


# --- Airy -----------------------------------------------------------------------------------


def airy_pattern(radius: float, reach: int) -> np.ndarray:
    """Sample (2·J1(v)/v)², whose first zero is at `radius`, and norm it."""
    place = np.arange(-reach, reach + 1)
    v = np.hypot(place[:, None], place) * special.jn_zeros(1, 1)[0] / radius
    v[reach, reach] = 1.0
    pattern = (2 * special.j1(v) / v) ** 2
    pattern[reach, reach] = 1.0
    return pattern / pattern.sum()


@pytest.mark.parametrize("radius", [2.5, 3.0, 5.0])
def test_airy_blur_is_a_convolution_with_the_airy_pattern(radius: float) -> None:
    # Radii from 2.44 px on: their cut-off is below the pixels' own, so that sampling loses nothing.
    # The pattern is cut off at 300 px, beyond which lies some 0.2 % of its light.
    image = pictures(1, channels=1)
    made = apply("airy_blur", image, {"radius": column(radius)}, radius=(0.0, 8.0))
    canvas = np.pad(image[0, 0].double().numpy(), 312, mode="symmetric")
    expected = signal.fftconvolve(canvas, airy_pattern(radius, 300), mode="same")[
        312:-312, 312:-312
    ]
    assert np.abs(made[0, 0].numpy() - expected).max() < 5e-4


def test_airy_blur_keeps_the_mean_and_a_radius_of_0_keeps_all() -> None:
    images = pictures()
    params = {"radius": column(0.0, 0.7, 3.0, 20.0)}
    made = apply("airy_blur", images, params, radius=(0.0, 20.0))
    assert torch.allclose(made.mean(dim=(2, 3)), images.mean(dim=(2, 3)), atol=1e-5)
    assert torch.allclose(made[0], images[0], atol=2e-6)
    spread = made.std(dim=(1, 2, 3))
    assert (spread.diff() < 0).all()  # the larger the disc, the less is left


def test_airy_blur_leaves_nothing_finer_than_its_cut_off() -> None:
    wave = torch.cos(2 * math.pi * 0.25 * (torch.arange(32) + 0.5)).expand(1, 1, 32, 32)
    params = {"radius": column(1.22 / 0.25 + 0.01)}
    assert apply("airy_blur", wave, params, radius=(0.0, 8.0)).abs().max() < 1e-5
    finer = apply("airy_blur", wave, {"radius": column(1.22)}, radius=(0.0, 8.0))
    # The transfer function of a circular aperture at a quarter of its cut-off.
    expected = 2 / math.pi * (math.acos(0.25) - 0.25 * math.sqrt(1 - 0.25**2))
    assert torch.allclose(finer, expected * wave, atol=1e-3)


# --- motion ---------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [0.0, 0.6, math.pi / 2, 2.5])
@pytest.mark.parametrize(("length", "longest"), [(1.0, 1.0), (1.0, 8.0), (3.0, 8.0), (7.3, 7.3)])
def test_motion_blur_averages_along_its_path(
    length: float, longest: float, direction: float
) -> None:
    image = pictures(1, channels=1)
    params = {"length": column(length), "direction": column(direction)}
    made = apply("motion_blur", image, params, length=(0.0, longest))[0, 0].numpy()
    rows, columns = np.mgrid[:24, :24]
    moved = [
        ndimage.map_coordinates(
            image[0, 0].double().numpy(),
            [rows + step * math.sin(direction), columns + step * math.cos(direction)],
            order=1,
            mode="mirror",
        )
        for step in ((np.arange(500) + 0.5) / 500 - 0.5) * length
    ]
    assert np.abs(made - np.mean(moved, axis=0)).max() < 0.004


def test_motion_blur_of_a_point_is_an_even_line() -> None:
    point = torch.zeros(1, 1, 31, 31)
    point[..., 15, 15] = 1.0
    params = {"length": column(10.0), "direction": column(0.0)}
    made = apply("motion_blur", point, params, length=(0.0, 10.0))[0, 0]
    assert float(made[15].sum()) == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(made[15, 11:20], torch.tensor(1 / 10), atol=1e-5)
    assert not made[15, :10].any()
    assert not made[15, 21:].any()


def test_motion_blur_of_no_length_keeps_every_bit() -> None:
    images = pictures()
    params = {"length": column(0.0, 0.0, 5.0, 0.0), "direction": column(0.0, 1.0, 1.0, 3.0)}
    made = apply("motion_blur", images, params, length=(0.0, 5.0))
    assert torch.equal(made[[0, 1, 3]], images[[0, 1, 3]])
    assert torch.allclose(made[2].mean(), images[2].mean(), atol=0.01)


def test_motion_longer_than_the_picture_is_cut_off() -> None:
    made = see(make("motion_blur", length=(60.0, 64.0)), torch.full((4, 1, 8, 8), 0.5))
    assert torch.allclose(made, torch.tensor(0.5))


# --- resolution -----------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_whole_factors_average_blocks_and_interpolate(factor: int) -> None:
    images = pictures()
    params = {"factor": torch.full((4, 1), float(factor))}
    made = apply("resolution_loss", images, params, factor=(1.0, 8.0))
    blocks = functional.avg_pool2d(images, factor)
    expected = functional.interpolate(blocks, size=24, mode="bilinear", align_corners=False)
    assert torch.allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize(("factor", "parts"), [(1.5, 2), (2.4, 5), (3.2, 5)])
def test_other_factors_average_parts_of_pixels(factor: float, parts: int) -> None:
    # Pixels are cut into parts² parts, so that a large pixel is a whole number of them.
    images = pictures(1)
    made = apply("resolution_loss", images, {"factor": column(factor)}, factor=(1.0, 8.0))
    fine = images.repeat_interleave(parts, dim=-1).repeat_interleave(parts, dim=-2)
    side = round(24 / factor + 0.4999)
    short = side * round(factor * parts) - 24 * parts  # the last large pixel may stick out
    ones = functional.pad(torch.ones_like(fine), (0, short, 0, short))
    fine = functional.pad(fine, (0, short, 0, short))
    blocks = functional.avg_pool2d(fine, round(factor * parts))
    blocks = blocks / functional.avg_pool2d(ones, round(factor * parts))
    place = ((torch.arange(24) + 0.5) / factor - 0.5).clamp(0, side - 1).numpy()
    rows, columns = np.meshgrid(place, place, indexing="ij")
    for channel, expected in zip(made[0], blocks[0], strict=True):
        read = ndimage.map_coordinates(expected.numpy(), [rows, columns], order=1)
        assert np.abs(channel.numpy() - read).max() < 1e-5


@pytest.mark.parametrize("size", [8, 24, 37])
def test_resolution_loss_keeps_what_has_no_structure(size: int) -> None:
    factors = torch.tensor([[1.0], [1.3], [5.0], [16.0]])
    flat = torch.full((4, 2, size, size), 0.7)
    made = apply("resolution_loss", flat, {"factor": factors}, factor=(1.0, 16.0))
    assert torch.allclose(made, flat, atol=1e-6)
    images = pictures(size=size)
    made = apply("resolution_loss", images, {"factor": factors}, factor=(1.0, 16.0))
    assert torch.allclose(made[0], images[0], atol=1e-6)
    assert (made.std(dim=(1, 2, 3)).diff() < 0).all()


# --- alignment ------------------------------------------------------------------------------


def test_whole_pixels_of_misregistration_are_exact() -> None:
    images = pictures(1)
    params = {"x": torch.tensor([[3.0, 0.0, -2.0]]), "y": torch.tensor([[0.0, 1.0, -4.0]])}
    made = apply("misregistration", images, params, pixels=5.0)
    assert torch.equal(made[:, 0, :, 3:], images[:, 0, :, :-3])
    assert torch.equal(made[:, 0, :, :3], images[:, 0, :, :1].expand(-1, -1, 3))
    assert torch.equal(made[:, 1, 1:], images[:, 1, :-1])
    assert torch.equal(made[:, 2, :-4, :-2], images[:, 2, 4:, 2:])


def test_parts_of_pixels_are_interpolated_as_scipy_does() -> None:
    images = pictures(1)
    shifts = torch.tensor([[0.3, -2.7, 30.0], [1.5, 0.0, -0.2]])
    params = {"x": shifts[:1], "y": shifts[1:]}
    made = apply("misregistration", images, params, pixels=32.0)
    for channel, image, (x, y) in zip(made[0], images[0], shifts.T.tolist(), strict=True):
        expected = ndimage.shift(image.double().numpy(), (y, x), order=1, mode="nearest")
        assert np.abs(channel.numpy() - expected).max() < 1e-5


def test_a_channel_that_is_not_named_stays_in_place() -> None:
    images = pictures(channels=4)
    operation = make("misregistration", pixels=2.0, channels=["Tubulin", "ER"])
    made = see(operation, images, channels=CHANNELS)
    assert torch.equal(made[:, [0, 2]], images[:, [0, 2]])
    assert ((made - images)[:, [1, 3]].abs().amax(dim=(2, 3)) > 0.01).all()


def test_channels_are_shifted_independently() -> None:
    params = make("misregistration", pixels=2.0).parameters(draws("misregistration"))
    drawn = torch.cat([params["x"], params["y"]], dim=1)
    assert drawn.abs().max() <= 2.0
    assert (torch.corrcoef(drawn.T) - torch.eye(6)).abs().max() < 0.03

"""Each operation against exact patterns, scipy, or torchvision at equal parameters."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from cellssl.augment import Pixel, View, catalogue, make_keys, operation_named
from cellssl.augment.colour import blend, grey, turn_hue
from cellssl.augment.gaussian import gaussian_blur
from cellssl.augment.operation import Draws, stream_of
from cellssl.augment.resampling import resample


def pictures(count: int = 4, channels: int = 3, size: int = 24) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def draws(name: str, *, count: int = 20_000, channels: int = 3, size: int = 64) -> Draws:
    keys = make_keys(0, 0, torch.arange(count))
    return Draws(keys, stream_of(name, 0), channels, size)


def apply(name: str, images: Tensor, params: dict[str, Tensor], **values: object) -> Tensor:
    operation = operation_named(name)(**values)  # type: ignore[arg-type]
    assert isinstance(operation, Pixel)
    return operation.apply(images, params)


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


# --- geometry on known patterns -------------------------------------------------------------


@pytest.mark.parametrize("turns", [-1, 0, 1, 2])
@pytest.mark.parametrize("size", [23, 24])
def test_quarter_turns_are_exact(turns: int, size: int) -> None:
    images = pictures(size=size)
    angle = torch.full((4,), turns * math.pi / 2)
    matrix = operation_named("rotate")(degrees=180.0).matrix({"angle": angle})  # type: ignore[attr-defined]
    made = resample(images, matrix, size)
    assert torch.allclose(made, images.rot90(turns, dims=(2, 3)), atol=1e-4)


def test_rotation_turns_as_torchvision_does() -> None:
    images = ndimage.gaussian_filter(np.random.default_rng(0).random((1, 1, 41, 41)), (0, 0, 2, 2))
    image = torch.tensor(images, dtype=torch.float32)
    angle = torch.tensor([math.radians(30)])
    matrix = operation_named("rotate")(degrees=180.0).matrix({"angle": angle})  # type: ignore[attr-defined]
    expected = reference.rotate(image, 30, interpolation=v2.InterpolationMode.BILINEAR)
    inside = slice(10, 31)
    made = resample(image, matrix, 41)
    assert torch.allclose(made[..., inside, inside], expected[..., inside, inside], atol=1e-3)


def test_flips_keep_every_bit() -> None:
    images = pictures(count=64)
    made = View([operation_named("flip")()], 24)(images, make_keys(0, 0, torch.arange(64)))
    choices = [images, images.flip(-1), images.flip(-2), images.flip((-1, -2))]
    equal = torch.stack([(made == choice).flatten(1).all(dim=1) for choice in choices])
    assert (equal.sum(dim=0) == 1).all()
    assert (equal.sum(dim=1) > 5).all()  # all four occur


def test_flip_is_the_same_moved_or_resampled() -> None:
    images = pictures(count=16)
    flip, still = operation_named("flip")(), operation_named("zoom")(area=(1.0, 1.0 + 1e-9))
    keys = make_keys(0, 0, torch.arange(16))
    moved, resampled = View([flip], 24)(images, keys), View([flip, still], 24)(images, keys)
    assert torch.allclose(moved, resampled, atol=1e-4)


def test_whole_pixel_shifts_are_exact() -> None:
    images = pictures(count=1)
    shift = operation_named("shift")(pixels=5.0)
    params = {"x": torch.tensor([3.0]), "y": torch.tensor([-2.0])}
    made = resample(images, shift.matrix(params), 24)  # type: ignore[attr-defined]
    assert torch.allclose(made[..., :22, 3:], images[..., 2:, :21], atol=1e-4)


def test_zoom_shows_the_stated_area() -> None:
    zoom = operation_named("zoom")(area=(0.25, 0.25 + 1e-9))
    disc = torch.zeros(1, 1, 64, 64)
    rows = torch.arange(64) - 31.5
    disc[0, 0] = (rows[:, None] ** 2 + rows**2 < 12**2).float()
    made = View([zoom], 64)(disc, make_keys(0, 0, torch.arange(1)))
    assert float(made.sum() / disc.sum()) == pytest.approx(4.0, rel=0.02)


def test_resized_crop_equals_torchvision_inside() -> None:
    image = pictures(count=1, size=48)
    top, left, height, width = 5, 9, 24, 16
    params = {
        "width": torch.tensor([width / 48]),
        "height": torch.tensor([height / 48]),
        "x": torch.tensor([left + width / 2 - 24]),
        "y": torch.tensor([top + height / 2 - 24]),
    }
    matrix = operation_named("resized_crop")().matrix(params)  # type: ignore[attr-defined]
    made = resample(image, matrix, 48)
    expected = reference.resized_crop(image, top, left, height, width, [48, 48], antialias=False)
    inside = slice(3, -3)  # torchvision repeats the box's edge, we read the pixels beyond it
    assert torch.allclose(made[..., inside, inside], expected[..., inside, inside], atol=1e-4)


def test_resized_crop_draws_boxes_as_torchvision() -> None:
    params = operation_named("resized_crop")().parameters(draws("resized_crop"))
    width, height = params["width"], params["height"]
    torch.manual_seed(0)  # torchvision draws from the global generator
    boxes = [v2.RandomResizedCrop(8).make_params([torch.empty(3, 1000, 1000)]) for _ in range(3000)]
    theirs = torch.tensor([[box["width"], box["height"]] for box in boxes])
    area, their_area = width * height, theirs.prod(dim=1) / 1e6
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        ours, other = torch.quantile(area, share), torch.quantile(their_area, share)
        assert float(ours) == pytest.approx(float(other), abs=0.03)
    assert ((params["x"].abs() + width * 32) < 32.001).all()  # every box lies within the view
    assert ((params["y"].abs() + height * 32) < 32.001).all()
    assert (width / height).min() > 0.749
    assert (width / height).max() < 1.334


# --- staining and exposure ------------------------------------------------------------------


def test_gain_multiplies_and_is_even_in_the_logarithm() -> None:
    operation = operation_named("stain_gain")(amplitude=0.4)
    gain = operation.parameters(draws("stain_gain"))["gain"]
    assert gain.shape == (20_000, 3)
    assert gain.max() <= math.exp(0.4)
    assert gain.min() >= math.exp(-0.4)
    assert abs(float(gain.log().mean())) < 0.01
    assert abs(float(torch.corrcoef(gain.T)[0, 1])) < 0.03
    images = pictures(count=2)
    made = apply("stain_gain", images, {"gain": column(0.5, 2.0)}, amplitude=1.0)
    assert torch.allclose(made, images * torch.tensor([0.5, 2.0])[:, None, None, None])


def test_joint_gain_keeps_the_ratio_of_channels() -> None:
    operation = operation_named("stain_gain")(amplitude=0.4, per_channel=False)
    images = pictures() * 0.4 + 0.1
    made = View([operation], 24)(images, make_keys(0, 0, torch.arange(4)))
    assert torch.allclose(made[:, 0] / made[:, 1], images[:, 0] / images[:, 1], rtol=1e-4)


def test_offset_adds() -> None:
    made = apply("stain_offset", pictures(1), {"offset": column(0.25)}, amplitude=0.3)
    assert torch.allclose(made, pictures(1) + 0.25)


def test_gamma_is_a_power() -> None:
    images = pictures(2)
    made = apply("gamma", images, {"exponent": column(1.5, 0.6)}, amplitude=1.0)
    expected = images ** torch.tensor([1.5, 0.6])[:, None, None, None]
    assert torch.allclose(made, expected, atol=1e-5)
    ends = torch.tensor([0.0, 1.0]).expand(2, 1, 2, 2)
    assert torch.equal(apply("gamma", ends, {"exponent": column(1.5, 0.6)}, amplitude=1.0), ends)


def test_solarize_equals_torchvision() -> None:
    images = pictures()
    made = apply("solarize", images, {"threshold": torch.full((4, 1), 0.4)}, threshold=0.4)
    assert torch.equal(made, reference.solarize(images, 0.4))


# --- optics and detector --------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(24, 24), (24, 33), (50, 70), (5, 5)])
def test_blur_equals_scipy(height: int, width: int) -> None:
    images = torch.rand(4, 2, height, width, generator=torch.Generator().manual_seed(1))
    sigmas = [0.3, 0.9, 1.7, 2.0]
    made = gaussian_blur(images, column(*sigmas), largest=2.0)
    for image, sigma, result in zip(images, sigmas, made, strict=True):
        expected = ndimage.gaussian_filter(image.numpy(), (0, sigma, sigma), mode="mirror")
        assert np.abs(result.numpy() - expected).max() < 1e-5


def test_blur_by_channel_and_by_nothing() -> None:
    images = pictures(count=1, channels=2)
    made = gaussian_blur(images, torch.tensor([[0.0, 1.3]]), largest=1.5)
    assert torch.equal(made[:, 0], images[:, 0])
    expected = ndimage.gaussian_filter(images[0, 1].numpy(), 1.3, mode="mirror")
    assert np.abs(made[0, 1].numpy() - expected).max() < 1e-5


def test_defocus_draws_one_sigma_for_all_channels() -> None:
    sigma = operation_named("defocus")(sigma=(0.5, 1.5)).parameters(draws("defocus"))["sigma"]
    assert sigma.shape == (20_000, 1)
    assert sigma.min() >= 0.5
    assert sigma.max() <= 1.5
    assert float(sigma.mean()) == pytest.approx(1.0, abs=0.01)


def test_noise_has_the_drawn_deviation() -> None:
    operation = operation_named("noise")(sigma=(0.05, 0.05 + 1e-9))
    images = torch.full((64, 2, 32, 32), 0.5)
    made = View([operation], 32)(images, make_keys(0, 0, torch.arange(64))) - images
    assert float(made.std()) == pytest.approx(0.05, rel=0.02)
    assert abs(float(made.mean())) < 0.001


# --- colour ---------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
@pytest.mark.parametrize("part", ["brightness", "contrast", "saturation"])
def test_colour_factors_equal_torchvision(part: str, factor: float) -> None:
    images = pictures()
    params = {key: torch.ones(4, 1) for key in ("brightness", "contrast", "saturation")}
    params[part] = torch.full((4, 1), factor)
    made = apply("color_jitter", images, {**params, "hue": torch.zeros(4, 1)}, **{part: 0.8})
    expected = getattr(reference, f"adjust_{part}")(images, factor)
    assert torch.allclose(made, expected, atol=2e-6)


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.1, 0.5])
def test_hue_equals_torchvision(turn: float) -> None:
    images = torch.cat([pictures(), torch.zeros(1, 3, 24, 24), torch.ones(1, 3, 24, 24)])
    made = turn_hue(images, torch.full((6, 1), turn))
    assert torch.allclose(made, reference.adjust_hue(images, turn), atol=2e-5)


def test_whole_jitter_equals_torchvision_in_the_same_order() -> None:
    images = pictures()
    values = {"brightness": 1.3, "contrast": 0.6, "saturation": 1.5, "hue": 0.1}
    params = {key: torch.full((4, 1), value) for key, value in values.items()}
    made = apply(
        "color_jitter", images, params, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2
    )
    expected = images
    for key, value in values.items():
        expected = getattr(reference, f"adjust_{key}")(expected, value)
    assert torch.allclose(made, expected, atol=5e-5)


def test_grey_equals_torchvision_on_rgb_and_is_the_mean_elsewhere() -> None:
    assert torch.allclose(grey(pictures()), reference.rgb_to_grayscale(pictures()), atol=1e-6)
    two = pictures(channels=2)
    assert torch.allclose(grey(two), two.mean(dim=1, keepdim=True))
    made = View([operation_named("grayscale")()], 24)(two, make_keys(0, 0, torch.arange(4)))
    assert torch.equal(made[:, 0], made[:, 1])


def test_blending_fully_keeps_every_bit() -> None:
    images = pictures()
    assert torch.equal(blend(images, grey(images), torch.ones(4, 1, 1, 1)), images)


def test_colour_of_two_channels_leaves_hue_out_and_says_so() -> None:
    jitter = operation_named("color_jitter")(hue=0.2)
    two = pictures(channels=2)
    assert torch.equal(View([jitter], 24)(two, make_keys(0, 0, torch.arange(4))), two)
    assert jitter.caveats(2) == ["hue exists for 3 channels (RGB) only and is left out on 2"]
    assert jitter.caveats(3) == []


# --- what every operation states ------------------------------------------------------------


@pytest.mark.parametrize("name", catalogue())
def test_every_operation_says_what_it_is(name: str) -> None:
    operation = catalogue()[name]
    assert operation.name == name
    assert operation.kind in ("geometry", "pixel")
    assert operation.invariance
    assert (operation.__doc__ or "").strip()
    for rule, _ in operation.rules().values():
        assert rule.meaning
    assert dataclasses.fields(operation)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("rotate", {"degrees": 200.0}, "rotate.degrees: expected a number from 0 to 180 degrees"),
        ("rotate", {"degrees": "180"}, "got '180'"),
        ("rotate", {"degrees": True}, "got True"),
        ("rotate", {"degrees": float("nan")}, "got nan"),
        ("rotate", {"degrees": 10.0, "p": 1.5}, "rotate.p: expected a number from 0 to 1"),
        ("defocus", {"sigma": (1.5, 0.1)}, r"turn it round: \[0.1, 1.5\]"),
        ("defocus", {"sigma": 1.0}, "expected two rising numbers"),
        ("flip", {"vertical": 1}, "expected true or false, got 1"),
        ("gamma", {"amplitude": 0.1, "channels": "GFP"}, r"write \[GFP\]"),
        ("gamma", {"amplitude": 0.1, "channels": ["a", "a"]}, "every channel once"),
        ("gamma", {"amplitude": -0.1, "because": 3}, "gamma.because: expected text, got 3"),
    ],
)
def test_wrong_values_are_told(name: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        operation_named(name)(**values)  # type: ignore[arg-type]


def test_an_unknown_operation_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown operation 'rotat'; did you mean 'rotate'"):
        operation_named("rotat")

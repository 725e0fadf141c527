"""Where pixels go: exact patterns, scipy and torchvision at equal parameters."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from cellssl.augment import Geometry, View, catalogue
from cellssl.augment.resampling import resample

from .examples import STRONG, draws, keys, make, pictures, see, see_all, smooth

GEOMETRY = [name for name, kind in catalogue().items() if issubclass(kind, Geometry)]
AFFINE = [name for name in GEOMETRY if name != "elastic"]
STILL = make("zoom", area=[1.0, 1.0 + 1e-9])  # changes nothing, but has everything resampled


def matrix(name: str, params: dict[str, Tensor], **values: object) -> Tensor:
    operation = make(name, **values)
    assert isinstance(operation, Geometry)
    return operation.matrix(params)


def disc(radius: float, size: int = 64) -> Tensor:
    place = torch.arange(size) - (size - 1) / 2
    away = torch.hypot(place[:, None], place)
    return (radius + 0.5 - away).clamp(0, 1)[None, None]


def covariance(image: Tensor) -> np.ndarray:
    """Covariance of x (right) and y (down) weighted by light."""
    place = torch.arange(image.shape[-1]) - (image.shape[-1] - 1) / 2
    x, y = place.expand(len(place), -1).flatten(), place[:, None].expand(-1, len(place)).flatten()
    return np.cov(torch.stack([x, y]).numpy(), aweights=image.flatten().numpy(), bias=True)


# --- turns, mirrors, shifts -----------------------------------------------------------------


@pytest.mark.parametrize("turns", [-1, 0, 1, 2])
@pytest.mark.parametrize("size", [23, 24])
def test_right_angles_of_a_rotation_are_exact(turns: int, size: int) -> None:
    images, angle = pictures(size=size), torch.full((4,), turns * math.pi / 2)
    made = resample(images, matrix("rotate", {"angle": angle}, degrees=180.0), size)
    assert torch.allclose(made, images.rot90(turns, dims=(2, 3)), atol=1e-4)


def test_rotation_turns_as_torchvision_does() -> None:
    image, angle = smooth(41), torch.tensor([math.radians(30)])
    expected = reference.rotate(image, 30, interpolation=v2.InterpolationMode.BILINEAR)
    inside = (..., slice(10, 31), slice(10, 31))
    made = resample(image, matrix("rotate", {"angle": angle}, degrees=180.0), 41)
    assert torch.allclose(made[inside], expected[inside], atol=1e-3)


@pytest.mark.parametrize("size", [23, 24])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_move_whole_pixels(turns: int, size: int) -> None:
    images, params = pictures(size=size), {"turns": torch.full((4,), float(turns))}
    expected = images.rot90(turns, dims=(2, 3))
    assert torch.equal(make("quarter_turn").move(images, params), expected)  # type: ignore[attr-defined]
    made = resample(images, matrix("quarter_turn", params), size)
    assert torch.allclose(made, expected, atol=1e-4)


def test_flips_keep_every_bit() -> None:
    images = pictures(64)
    made = see(make("flip"), images)
    choices = [images, images.flip(-1), images.flip(-2), images.flip((-1, -2))]
    equal = torch.stack([(made == choice).flatten(1).all(dim=1) for choice in choices])
    assert (equal.sum(dim=0) == 1).all()
    assert (equal.sum(dim=1) > 5).all()  # all four occur


def test_flip_and_quarter_turn_lay_a_picture_down_in_all_eight_ways() -> None:
    images = pictures(160, channels=1, size=9)
    made = see_all([make("flip"), make("quarter_turn")], images)
    ways = [side.rot90(k, dims=(2, 3)) for side in (images, images.flip(-1)) for k in range(4)]
    equal = torch.stack([(made == way).flatten(1).all(dim=1) for way in ways])
    assert (equal.sum(dim=0) == 1).all()
    assert (equal.sum(dim=1) > 5).all()


@pytest.mark.parametrize("names", [["flip", "quarter_turn"], ["quarter_turn", "flip"]])
@pytest.mark.parametrize("stored", [24, 25, 30])
def test_whole_pixels_are_the_same_moved_or_resampled(names: list[str], stored: int) -> None:
    images, steps = pictures(16, size=stored), [make(name) for name in names]
    moved, resampled = (View(each, 24)(images, keys(16)) for each in (steps, [*steps, STILL]))
    assert torch.allclose(moved, resampled, atol=1e-4)


def test_whole_pixel_shifts_are_exact() -> None:
    image = pictures(1)
    params = {"x": torch.tensor([3.0]), "y": torch.tensor([-2.0])}
    made = resample(image, matrix("shift", params, pixels=5.0), 24)
    assert torch.allclose(made[..., :22, 3:], image[..., 2:, :21], atol=1e-4)


# --- size and shape -------------------------------------------------------------------------


def test_zoom_shows_the_stated_area() -> None:
    made = see(make("zoom", area=[0.25, 0.25 + 1e-9]), disc(12))
    assert float(made.sum() / disc(12).sum()) == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize("direction", [0.0, 0.7, math.pi / 2, 2.5])
def test_stretch_makes_a_disc_an_ellipse_of_the_same_area(direction: float) -> None:
    params = {"logarithm": torch.tensor([0.4]), "direction": torch.tensor([direction])}
    read = matrix("stretch", params, amplitude=0.5)
    assert float(torch.linalg.det(read)) == pytest.approx(1.0, abs=1e-5)
    made = resample(disc(14), read, 64)
    assert float(made.sum() / disc(14).sum()) == pytest.approx(1.0, abs=0.005)
    small, large = np.linalg.eigvalsh(covariance(made))
    assert math.sqrt(large / small) == pytest.approx(math.exp(0.8), rel=0.01)
    along = np.array([math.cos(direction), math.sin(direction)])
    assert along @ covariance(made) @ along == pytest.approx(large, rel=0.001)


def test_stretch_draws_every_direction_and_only_lengthens() -> None:
    params = make("stretch", amplitude=0.3).parameters(draws("stretch"))
    assert params["logarithm"].min() >= 0
    assert params["logarithm"].max() <= 0.3
    sectors = torch.histc(params["direction"], 8, min=0, max=math.pi)
    assert (sectors / 20_000 - 1 / 8).abs().max() < 0.012


@pytest.mark.parametrize("degrees", [-35.0, 20.0])
def test_shear_leans_as_torchvision_does(degrees: float) -> None:
    image = smooth(41)
    slope = torch.tensor([math.tan(math.radians(degrees))])
    made = resample(image, matrix("shear", {"slope": slope}, degrees=60.0), 41)
    bilinear = v2.InterpolationMode.BILINEAR
    options = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "interpolation": bilinear}
    expected = reference.affine(image, shear=[degrees, 0.0], **options)
    inside = (..., slice(12, 29), slice(12, 29))
    assert torch.allclose(made[inside], expected[inside], atol=1e-3)
    assert (made - image)[inside].abs().max() > 0.05


# --- resized crop ---------------------------------------------------------------------------


@pytest.mark.parametrize(("interpolation", "margin"), [("bilinear", 3), ("bicubic", 6)])
def test_resized_crop_equals_torchvision_inside(interpolation: str, margin: int) -> None:
    # torchvision repeats the box's edge, we read the pixels beyond it: equal where no interpolated
    # pixel reaches over the edge, one source pixel (3 of the result's) for linear, two for cubic.
    image = pictures(1, size=48)
    top, left, height, width = 5, 9, 24, 16
    params = {
        "width": torch.tensor([width / 48]),
        "height": torch.tensor([height / 48]),
        "x": torch.tensor([left + width / 2 - 24]),
        "y": torch.tensor([top + height / 2 - 24]),
    }
    read = matrix("resized_crop", params)
    made = resample(image, read, 48, interpolation=interpolation)  # type: ignore[arg-type]
    mode = v2.InterpolationMode(interpolation)
    expected = reference.resized_crop(
        image, top, left, height, width, [48, 48], interpolation=mode, antialias=False
    )
    inside = (..., slice(margin, -margin), slice(margin, -margin))
    assert torch.allclose(made[inside], expected[inside], atol=1e-4)


def test_resized_crop_draws_boxes_as_torchvision() -> None:
    params = make("resized_crop").parameters(draws("resized_crop"))
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


@pytest.mark.parametrize("ratio", [(2.0, 3.0), (0.3, 0.5)])
def test_a_box_that_never_fits_is_torchvisions_central_one(ratio: tuple[float, float]) -> None:
    # All of the area at such a ratio fits no square: ten tries fail.
    operation = make("resized_crop", area=(1.0, 1.0), ratio=ratio)
    params = operation.parameters(draws("resized_crop", count=2))
    torch.manual_seed(0)
    theirs = v2.RandomResizedCrop(8, scale=(1.0, 1.0), ratio=ratio).make_params(
        [torch.empty(3, 1200, 1200)]
    )
    for side in ("width", "height"):
        assert params[side].tolist() == pytest.approx([theirs[side] / 1200] * 2, abs=1e-6)
    assert not params["x"].any()
    assert not params["y"].any()


# --- how much is read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        *[[name] for name in GEOMETRY],
        ["rotate", "zoom", "shift"],
        ["shift", "stretch", "rotate"],
        ["elastic", "zoom", "shear"],
        ["shear", "elastic", "resized_crop"],
    ],
)
def test_nothing_is_read_beyond_the_stored_size(names: list[str]) -> None:
    view = View([make(name, **STRONG[name]) for name in names], 32)
    assert view.mirrored(view.stored_size()) == 0
    assert view.stored_size() == 32 or view.mirrored(32) > 0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *[(name, STRONG[name]) for name in AFFINE],
        ("rotate", {"degrees": 20.0}),
        ("zoom", {"area": [0.2, 0.5]}),
        ("stretch", {"amplitude": 1.5}),
        ("shear", {"degrees": 60.0}),
    ],
)
def test_an_operation_reads_as_far_as_it_says_and_no_further(
    name: str, values: dict[str, object]
) -> None:
    operation = make(name, **values)
    sampled = operation.parameters(draws(name, size=200))
    corners = torch.tensor([[100.0, 100, 1], [100, -100, 1], [-100, 100, 1], [-100, -100, 1]])
    read = operation.matrix(sampled) @ corners.T  # type: ignore[attr-defined]
    furthest, said = float(read[:, :2].abs().max()), operation.reach(100.0)  # type: ignore[attr-defined]
    assert 0.993 * said < furthest <= said * (1 + 1e-6) or furthest < said == 100


def test_a_full_rotation_needs_the_diagonal() -> None:
    view = View([make("rotate", degrees=180.0)], 64)
    assert view.stored_size() == 91
    assert 0.05 < view.mirrored(64) < 0.15

"""The one resampling of a view: what it composes, and what lies beyond the border."""

import pytest
import torch
from torch import Tensor

from cellssl.augment import Geometry, View, catalogue
from cellssl.augment.resampling import Border, affine, resample

from .examples import STRONG, keys, make, pictures


def test_geometry_is_the_product_of_matrices_sampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["rotate", "flip", "zoom", "stretch", "shift", "quarter_turn", "shear", "resized_crop"]
    assert {*names, "elastic"} == {
        name for name, kind in catalogue().items() if issubclass(kind, Geometry)
    }
    steps = [make(name, **STRONG[name]) for name in names]
    product = torch.eye(3).expand(6, 3, 3)
    for step in steps:
        product = product @ View([step], 16).matrix(keys(6))
    view, elastic = View(steps, 16), make("elastic", **STRONG["elastic"])
    assert torch.allclose(view.matrix(keys(6)), product, atol=1e-5)

    original, count = torch.nn.functional.grid_sample, []

    def counted(*arguments: object, **options: object) -> Tensor:
        count.append(1)
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.nn.functional, "grid_sample", counted)
    view_of_all = view(pictures(6), keys(6))
    assert len(count) == 1
    expected = resample(pictures(6), product, 16).clamp(0, 1)
    assert torch.allclose(view_of_all, expected, atol=1e-4)
    View([*steps, elastic], 16)(pictures(6), keys(6))
    assert len(count) == 3  # one more for `expected`, one with all of it


def test_the_first_operation_acts_first() -> None:
    # A shift by (+2, 0), then a quarter turn anticlockwise: the pixel moves right, then up.
    ninety = affine(*(torch.tensor([value]) for value in (0.0, -1.0, 1.0, 0.0)))
    shift = make("shift", pixels=5).matrix({"x": torch.tensor([2.0]), "y": torch.tensor([0.0])})  # type: ignore[attr-defined]
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 1.0
    moved = resample(image, shift @ ninety, 9)
    assert moved[0, 0].argmax() == 2 * 9 + 4


@pytest.mark.parametrize("border", ["neighbours", "mirror", "zeros"])
@pytest.mark.parametrize(("stored", "size"), [(24, 24), (24, 16), (25, 16), (24, 15), (33, 20)])
def test_without_geometry_the_middle_is_cut_out_exactly(
    stored: int, size: int, border: Border
) -> None:
    images = pictures(size=stored)
    offset = (stored - size) // 2
    expected = images[:, :, offset : offset + size, offset : offset + size]
    assert torch.equal(View([], size, border=border)(images, keys()), expected)
    identity = torch.eye(3).expand(4, 3, 3)
    read = resample(images, identity, size, border=border)
    assert torch.allclose(read, expected, atol=1e-5)


def test_rotation_brings_in_real_pixels_of_a_larger_crop() -> None:
    images = torch.full((4, 1, 24, 24), 0.5)
    images[:, :, :2] = images[:, :, -2:] = images[..., :2] = images[..., -2:] = 1.0
    rotation = View([make("rotate", degrees=180)], 14)  # 14·√2 = 19.8 < 20
    assert torch.allclose(rotation(images, keys()), torch.tensor(0.5), atol=1e-5)


def shifted(border: Border, images: Tensor) -> tuple[Tensor, int, int]:
    """Shift one picture by whole pixels through `resample`: the view of 8 moves 4 down, 2 right."""
    params = {"x": torch.tensor([2.0]), "y": torch.tensor([4.0])}
    matrix = make("shift", pixels=4).matrix(params)  # type: ignore[attr-defined]
    return resample(images, matrix, 8, border=border)


@pytest.mark.parametrize("stored", [8, 10, 16])
def test_beyond_the_view_lie_neighbours_mirror_images_or_nothing(stored: int) -> None:
    images = pictures(1, size=stored)
    edge = (stored - 8) // 2
    inner = images[..., edge : edge + 8, edge : edge + 8]

    def padded(image: Tensor, mode: str) -> Tensor:
        mirror = torch.cat([image.flip(-1), image, image.flip(-1)], dim=-1)
        mirror = torch.cat([mirror.flip(-2), mirror, mirror.flip(-2)], dim=-2)
        width = image.shape[-1]
        if mode == "zeros":
            mirror = torch.nn.functional.pad(image, (width,) * 4)
        top, left = width + (width - 8) // 2 - 4, width + (width - 8) // 2 - 2
        return mirror[..., top : top + 8, left : left + 8]

    assert torch.allclose(shifted("neighbours", images), padded(images, "mirror"), atol=1e-5)
    assert torch.allclose(shifted("mirror", images), padded(inner, "mirror"), atol=1e-5)
    assert torch.allclose(shifted("zeros", images), padded(inner, "zeros"), atol=1e-5)


@pytest.mark.parametrize("border", ["neighbours", "mirror", "zeros"])
def test_the_border_reaches_the_resampling_of_a_view(border: Border) -> None:
    images = torch.full((20, 1, 24, 24), 0.5)
    images[..., 4:20, 4:20] = 1.0
    rotation = View([make("rotate", degrees=180)], 16, border=border)
    least = {"neighbours": 0.5, "mirror": 1.0, "zeros": 0.0}[border]
    assert float(rotation(images, keys(20)).min()) == pytest.approx(least, abs=1e-5)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_promise_to_stay_inside_changes_no_pixel(interpolation: str) -> None:
    images, steps = pictures(40, size=24), [make("rotate", degrees=180), make("shift", pixels=1.9)]
    view = View(steps, 13, interpolation=interpolation)  # type: ignore[arg-type]
    assert view.stored_size() <= 24
    matrix = view.matrix(keys(40))
    read = resample(images, matrix, 13, interpolation=interpolation).clamp(0, 1)  # type: ignore[arg-type]
    assert torch.allclose(view(images, keys(40)), read, atol=1e-6)


def test_crops_need_not_be_square() -> None:
    images = torch.cat([pictures(20, size=24), pictures(20, size=24)], dim=-1)[..., :40]
    view = View([make("shift", pixels=8)], 16)  # 32 px are needed: there along one side only
    read = resample(images, view.matrix(keys(20)), 16)
    assert torch.allclose(view(images, keys(20)), read, atol=1e-6)


def test_bicubic_keeps_more_of_fine_structure() -> None:
    steps = [make("rotate", degrees=180)]
    linear, cubic = (
        View(steps, 16, interpolation=mode)(pictures(40), keys(40))  # type: ignore[arg-type]
        for mode in ("bilinear", "bicubic")
    )
    assert cubic.std() > 1.1 * linear.std()
    assert cubic.min() >= 0
    assert cubic.max() <= 1

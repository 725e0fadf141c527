"""Views: one resampling, exact where it can be, the same draws whatever the batch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from cellssl.augment import (
    Operation,
    Pixel,
    View,
    Views,
    catalogue,
    make_keys,
    operation_named,
    resampling,
)
from cellssl.augment import view as view_module

#: Every operation at an amplitude that shows.
STRONG: dict[str, dict[str, object]] = {
    "rotate": {"degrees": 180},
    "flip": {},
    "shift": {"pixels": 4},
    "zoom": {"area": [0.5, 1.5]},
    "resized_crop": {},
    "stain_gain": {"amplitude": 0.5},
    "stain_offset": {"amplitude": 0.2},
    "gamma": {"amplitude": 0.5},
    "defocus": {"sigma": [0.5, 2]},
    "blur": {},
    "noise": {"sigma": [0.01, 0.1]},
    "color_jitter": {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2},
    "grayscale": {},
    "solarize": {},
}
#: The same at amplitude 0 (those that have one).
NOTHING: dict[str, dict[str, object]] = {
    "rotate": {"degrees": 0},
    "flip": {"horizontal": False, "vertical": False},
    "shift": {"pixels": 0},
    "zoom": {"area": [1, 1]},
    "resized_crop": {"area": [1, 1], "ratio": [1, 1]},
    "stain_gain": {"amplitude": 0},
    "stain_offset": {"amplitude": 0},
    "gamma": {"amplitude": 0},
    "defocus": {"sigma": [0, 0]},
    "blur": {"sigma": [0, 0]},
    "noise": {"sigma": [0, 0]},
    "color_jitter": {},
}


def make(name: str, **values: object) -> Operation:
    return operation_named(name)(**values)  # type: ignore[arg-type]


def pictures(count: int = 6, channels: int = 3, size: int = 24) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def keys(count: int = 6, *, epoch: int = 0) -> Tensor:
    return make_keys(0, epoch, torch.arange(count))


def everything(**common: object) -> list[Operation]:
    return [make(name, **{**values, **common}) for name, values in STRONG.items()]


def test_all_operations_are_under_test() -> None:
    assert set(STRONG) == set(catalogue())


@pytest.mark.parametrize("name", NOTHING)
def test_amplitude_0_is_the_identity(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = make(name, **NOTHING[name])
    assert operation.idle
    images = pictures()
    assert torch.equal(View([operation], 24)(images, keys()), images)
    # … and so does the computation itself, were it not left out.
    monkeypatch.setattr(type(operation), "idle", False)
    assert torch.allclose(View([operation], 24)(images, keys()), images, atol=1e-5)


@pytest.mark.parametrize("name", STRONG)
def test_p_0_leaves_every_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures()
    operation = make(name, **{**STRONG[name], "p": 0.0})
    assert torch.equal(View([operation], 24)(images, keys()), images)
    monkeypatch.setattr(type(operation), "idle", False)
    assert torch.allclose(View([operation], 24)(images, keys()), images, atol=1e-5)


@pytest.mark.parametrize("name", STRONG)
def test_p_touches_that_share_of_the_samples(name: str) -> None:
    images = pictures(count=400, size=12)
    view = View([make(name, **{**STRONG[name], "p": 0.3})], 12)
    touched = (view(images, keys(400)) - images).abs().amax(dim=(1, 2, 3)) > 1e-4
    expected = 1 - 0.7**2 if name == "flip" else 0.3  # flip has two mirrorings
    assert abs(float(touched.float().mean()) - expected) < 0.09


@pytest.mark.parametrize("name", sorted(set(STRONG) - {"grayscale", "solarize"}))
def test_samples_of_a_batch_differ(name: str) -> None:
    images = pictures(count=1).expand(8, -1, -1, -1)
    made = View([make(name, **STRONG[name])], 24)(images, keys(8))
    assert len(made.flatten(1).unique(dim=0)) >= (4 if name == "flip" else 8)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_everything_at_once_keeps_shape_and_range(channels: int) -> None:
    made = View(everything(p=0.7), 16)(pictures(channels=channels), keys())
    assert made.shape == (6, channels, 16, 16)
    assert made.dtype == torch.float32
    assert torch.isfinite(made).all()
    assert made.min() >= 0
    assert made.max() <= 1


def test_views_do_not_depend_on_the_batch_split(monkeypatch: pytest.MonkeyPatch) -> None:
    images, view = pictures(count=10), View(everything(p=0.7), 16)
    whole = view(images, keys(10))
    parts = [view(images[i : i + 3], keys(10)[i : i + 3]) for i in range(0, 10, 3)]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-5)
    monkeypatch.setattr(view_module, "_CPU_BLOCK", 2 * 3 * 16 * 16)
    assert torch.allclose(whole, view(images, keys(10)), atol=1e-5)


def test_views_do_not_depend_on_the_order() -> None:
    images, view = pictures(), View(everything(), 16)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    mixed = view(images[order], keys()[order])
    assert torch.allclose(view(images, keys())[order], mixed, atol=1e-5)


def test_an_operation_more_leaves_the_draws_of_the_others() -> None:
    images = pictures()
    rotation, gain = make("rotate", degrees=90), make("stain_gain", amplitude=0.3)
    alone = View([rotation], 16)(images, keys())
    both = View([rotation, gain], 16)(images, keys())
    ratio = (both / alone)[(both < 1) & (both > 0.01)]
    assert len(ratio.round(decimals=3).unique()) <= 6 * 3 + 6


def test_the_same_operation_twice_draws_twice() -> None:
    shift = make("shift", pixels=3)
    view = View([shift, shift], 16)
    drawn = [shift.parameters(view._draws(keys(), stream, 3))["x"] for _, stream in view._geometry]
    assert not torch.allclose(drawn[0], drawn[1])


def test_geometry_is_the_product_of_matrices_sampled_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["rotate", "flip", "zoom", "shift", "resized_crop"]
    steps = [make(name, **STRONG[name]) for name in names]
    view, count = View(steps, 16), []
    product = torch.eye(3).expand(6, 3, 3)
    for step in steps:
        product = product @ View([step], 16).matrix(keys())
    assert torch.allclose(view.matrix(keys()), product, atol=1e-5)

    original = torch.nn.functional.grid_sample

    def counted(*arguments: object, **options: object) -> Tensor:
        count.append(1)
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.nn.functional, "grid_sample", counted)
    made = view(pictures(), keys())
    assert len(count) == 1
    expected = resampling.resample(pictures(), product, 16).clamp(0, 1)
    assert torch.allclose(made, expected, atol=1e-4)


def test_the_first_operation_acts_first() -> None:
    # A shift by (+2, 0), then a quarter turn anticlockwise: the pixel moves right, then up.
    ninety = resampling.affine(*(torch.tensor([value]) for value in (0.0, -1.0, 1.0, 0.0)))
    shift = make("shift", pixels=5).matrix({"x": torch.tensor([2.0]), "y": torch.tensor([0.0])})  # type: ignore[attr-defined]
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 1.0
    made = resampling.resample(image, resampling.compose([shift, ninety]), 9)
    assert made[0, 0].argmax() == 2 * 9 + 4


@pytest.mark.parametrize(("stored", "size"), [(24, 24), (24, 16), (25, 16), (24, 15), (33, 20)])
def test_without_geometry_the_middle_is_cut_out_exactly(stored: int, size: int) -> None:
    images = pictures(size=stored)
    offset = (stored - size) // 2
    expected = images[:, :, offset : offset + size, offset : offset + size]
    assert torch.equal(View([], size)(images, keys()), expected)
    identity = torch.eye(3).expand(6, 3, 3)
    assert torch.allclose(resampling.resample(images, identity, size), expected, atol=1e-5)


def test_rotation_brings_in_real_pixels_of_a_larger_crop() -> None:
    images = torch.full((4, 1, 24, 24), 0.5)
    images[:, :, :2] = images[:, :, -2:] = images[..., :2] = images[..., -2:] = 1.0
    rotation = View([make("rotate", degrees=180)], 14)  # 14·√2 = 19.8 < 20
    assert torch.allclose(rotation(images, keys(4)), torch.tensor(0.5), atol=1e-5)


def test_two_views_differ_and_are_reproducible() -> None:
    views = Views(View(everything(), 16))
    images, samples = pictures(), torch.arange(6)
    first, second = views(images, 0, 0, samples)
    assert not torch.allclose(first, second)
    again, _ = views(images, 0, 0, samples)
    assert torch.equal(first, again)
    later, _ = views(images, 0, 1, samples)
    other, _ = views(images, 1, 0, samples)
    assert not torch.allclose(first, later)
    assert not torch.allclose(first, other)


def test_two_views_may_have_recipes_of_their_own() -> None:
    views = Views(View([], 16), View([make("solarize", threshold=0.0)], 16))
    first, second = views(pictures(), 0, 0, torch.arange(6))
    assert torch.allclose(second, 1 - first)


def test_nothing_waits_for_the_device() -> None:
    # Fake tensors have shapes but no values: .item(), `if tensor` and boolean indexing all fail.
    with FakeTensorMode():
        views = Views(View(everything(p=0.5), 16))
        seed, epoch = torch.tensor(0), torch.tensor(3)
        first, second = views(torch.rand(4, 3, 24, 24), seed, epoch, torch.arange(4))
    assert first.shape == second.shape == (4, 3, 16, 16)


def test_autocast_does_not_reach_the_pixels() -> None:
    view = View(everything(), 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = view(pictures(), keys())
    assert inside.dtype == torch.float32
    assert torch.equal(inside, view(pictures(), keys()))


@pytest.mark.parametrize("name", [n for n in STRONG if issubclass(catalogue()[n], Pixel)])
def test_only_the_named_channels_change(name: str) -> None:
    names = ("DAPI", "Tubulin", "Actin", "ER")
    images = pictures(channels=4)
    operation = make(name, **STRONG[name], channels=["Actin", "DAPI"])
    made = View([operation], 24, channels=names)(images, keys())
    changed = (made - images).abs().amax(dim=(2, 3)) > 1e-4
    assert changed[:, [0, 2]].any(dim=0).all()
    assert torch.equal(made[:, [1, 3]], images[:, [1, 3]])


def test_an_unknown_channel_names_the_nearest() -> None:
    operation = make("stain_gain", amplitude=0.1, channels=["Tubuline"])
    with pytest.raises(ValueError, match=r"'Tubuline' is not there .*did you mean 'Tubulin'"):
        View([operation], 8, channels=["DAPI", "Tubulin"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: View([], 32)(pictures(), keys()), "wants 32 × 32 px, the crops have 24 × 24"),
        (lambda: View([], 8)(pictures().int(), keys()), "wanted floats"),
        (lambda: View([], 8)(pictures(), keys(3)), "keys: got shape"),
        (lambda: View([], 8, channels=["a"])(pictures(), keys()), "images have 3 channels"),
        (lambda: Views(View([], 8), View([], 9)), "one size, got 8 and 9"),
        (lambda: View([], 0), "at least 1 pixel"),
    ],
)
def test_wrong_shapes_are_told(call: Callable[[], object], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()

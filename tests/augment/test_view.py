"""Views: one resampling, exact where it can be, the same draws whatever the batch."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cellssl.augment import Operation, Pixel, View, catalogue, view as view_module

from .examples import (
    CHANNELS,
    MASKS,
    STRONG,
    everything,
    keys,
    make,
    outlines,
    pictures,
    see,
)

#: Operations whose result, not its strength, is drawn: how many results there are.
RESULTS = {"flip": 4, "quarter_turn": 4, "channel_dropout": 3, "channel_shuffle": 6, "bit_depth": 3}
#: Operations that do the same to every sample they touch.
FIXED = {"grayscale", "solarize", "mask_background", "mask_neighbours"}
#: Operations without an amplitude that leads to nothing.
ALWAYS = {*FIXED, *RESULTS, "shot_noise"}
#: Operations that some of the touched samples survive unchanged, and how many of them.
SPARED = {"quarter_turn": 1 / 4, "channel_shuffle": 1 / 6}


def made(view: View, images: Tensor, *, epoch: int = 0) -> Tensor:
    """Call a view that has masks."""
    masks = outlines(len(images), images.shape[-1])
    return view(images, keys(len(images), epoch=epoch), masks=masks)


def whole(size: int = 16, **common: object) -> View:
    return View(everything(**common), size, masks=MASKS)


def test_all_operations_are_under_test() -> None:
    assert set(STRONG) == set(catalogue())


# --- nothing and something ------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, kind in catalogue().items() if kind.nothing])
def test_amplitude_0_is_the_identity(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = make(name, **{**STRONG[name], **catalogue()[name].nothing})
    assert operation.idle
    assert torch.equal(see(operation, pictures()), pictures())
    # … and so does the computation itself, were it not left out.
    monkeypatch.setattr(type(operation), "idle", False)
    assert torch.allclose(see(operation, pictures()), pictures(), atol=1e-5)


@pytest.mark.parametrize("name", STRONG)
def test_p_0_leaves_every_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = make(name, **{**STRONG[name], "p": 0.0})
    assert torch.equal(see(operation, pictures()), pictures())
    monkeypatch.setattr(type(operation), "idle", False)
    assert torch.allclose(see(operation, pictures()), pictures(), atol=1e-5)


@pytest.mark.parametrize("name", STRONG)
def test_what_can_change_something_is_never_left_out(name: str) -> None:
    assert not make(name, **STRONG[name]).idle
    assert len(View([make(name, **STRONG[name])], 8, masks=MASKS)._steps) == 1


@pytest.mark.parametrize("name", STRONG)
def test_p_touches_that_share_of_the_samples(name: str) -> None:
    images = pictures(400, size=12)
    changed = see(make(name, **{**STRONG[name], "p": 0.3}), images) - images
    touched = changed.abs().amax(dim=(1, 2, 3)) > 1e-4
    expected = 1 - 0.7**2 if name == "flip" else 0.3  # flip has two mirrorings
    expected *= 1 - SPARED.get(name, 0.0)
    assert abs(float(touched.float().mean()) - expected) < 0.09


@pytest.mark.parametrize("name", sorted(set(STRONG) - FIXED))
def test_samples_of_a_batch_differ(name: str) -> None:
    images = pictures(1).expand(40, -1, -1, -1)
    different = see(make(name, **STRONG[name]), images).flatten(1).unique(dim=0)
    assert len(different) == RESULTS.get(name, 40)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_everything_at_once_keeps_shape_and_range(channels: int) -> None:
    view = made(whole(p=0.7), pictures(6, channels=channels))
    assert view.shape == (6, channels, 16, 16)
    assert view.dtype == torch.float32
    assert torch.isfinite(view).all()
    assert view.min() >= 0
    assert view.max() <= 1


# --- the same draws whatever happens --------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        torch.arange(9).split(4),
        [torch.arange(rank, 9, 2) for rank in range(2)],  # as a distributed sampler deals them
        [torch.tensor([3, 7, 1, 5, 0, 8, 4, 2, 6])],
    ],
    ids=["batches", "ranks", "another order"],
)
def test_views_do_not_depend_on_who_makes_them_beside_whom(parts: list[Tensor]) -> None:
    images, masks = pictures(9), outlines(9)
    together = made(whole(p=0.7), images)
    for mine in parts:
        alone = whole(p=0.7)(images[mine], keys(9)[mine], masks=masks[mine])
        assert torch.allclose(together[mine], alone, atol=1e-5)


def test_views_do_not_depend_on_how_many_are_made_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_at_once = made(whole(p=0.7), pictures(10))
    monkeypatch.setattr(view_module, "_CPU_BLOCK", 2 * 3 * 16 * 16)
    assert torch.allclose(all_at_once, made(whole(p=0.7), pictures(10)), atol=1e-5)


def test_draws_are_the_same_to_the_last_bit_in_any_subset() -> None:
    order = torch.tensor([7, 0, 3])
    everyone = whole(p=0.7)._draw(keys(8), 3, torch.float32)
    some = whole(p=0.7)._draw(keys(8)[order], 3, torch.float32)
    for params, subset in zip(everyone, some, strict=True):
        for key, value in params.items():
            assert torch.equal(value[order], subset[key])


def test_a_resumed_epoch_draws_what_it_would_have() -> None:
    view, again = whole(p=0.7), whole(p=0.7)
    epochs = [made(view, pictures(), epoch=epoch) for epoch in range(4)]
    assert torch.equal(made(again, pictures(), epoch=3), epochs[3])
    assert not torch.allclose(epochs[2], epochs[3])


@pytest.mark.parametrize("added", ["rotate", "stain_gain", "read_noise", "mask_neighbours"])
def test_an_operation_more_leaves_the_draws_of_the_others(added: str) -> None:
    names = ["zoom", "shot_noise", "elastic", "channel_shuffle", "defocus"]
    steps = [make(name, **STRONG[name]) for name in names]
    for place in range(len(names) + 1):
        more = [*steps[:place], make(added, **STRONG[added]), *steps[place:]]
        few, many = (drawn_by_name(View(each, 16, masks=MASKS)) for each in (steps, more))
        for name, params in few.items():
            assert all(torch.equal(params[key], many[name][key]) for key in params)


def drawn_by_name(view: View) -> dict[str, dict[str, Tensor]]:
    names = [step.operation.name for step in view._steps]
    return dict(zip(names, view._draw(keys(), 3, torch.float32), strict=True))


def test_the_same_operation_twice_draws_twice() -> None:
    shift = make("shift", pixels=3)
    first, second = View([shift, shift], 16)._draw(keys(), 3, torch.float32)
    assert not torch.allclose(first["x"], second["x"])


# --- pinned draws ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(STRONG) - ALWAYS))
def test_strength_0_changes_nothing(name: str) -> None:
    operation = make(name, **{**STRONG[name], "p": 0.2})
    pinned = View([operation], 24)(pictures(), keys(), strength=0.0)
    assert torch.allclose(pinned, pictures(), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "key", "extreme"),
    [
        ("airy_blur", "radius", 5.0),
        ("bit_depth", "steps", 1.0),
        ("bleaching", "kept", 0.4),
        ("bleed_through", "shares", 0.5),
        ("color_jitter", "brightness", 1.8),
        ("color_jitter", "hue", 0.2),
        ("contrast", "gain", math.exp(0.5)),
        ("defocus", "sigma", 2.0),
        ("gamma", "exponent", math.exp(0.5)),
        ("haze", "amount", 0.5),
        ("illumination", "falloff", 0.5),
        ("motion_blur", "length", 6.0),
        ("quarter_turn", "turns", 1.0),
        ("read_noise", "sigma", 0.1),
        ("resolution_loss", "factor", 4.0),
        ("rotate", "angle", math.pi),
        ("saturation", "level", 0.3),
        ("shear", "slope", math.tan(math.pi / 6)),
        ("shift", "x", 4.0),
        ("shot_noise", "photons", 20.0),
        ("stain_gain", "gain", math.exp(0.5)),
        ("stain_offset", "offset", 0.2),
        ("stretch", "logarithm", 0.3),
        ("zoom", "scale", math.sqrt(1.5)),
    ],
)
def test_strength_1_is_the_extreme_for_every_sample(name: str, key: str, extreme: float) -> None:
    operation = make(name, **{**STRONG[name], "p": 0.2})
    view = View([operation], 24)
    (params,) = view._draw(keys(), 3, torch.float32, strength=1.0)
    value = params[key]
    if name == "bleed_through":
        value = value[:, 0, 1]
    assert torch.allclose(value, torch.tensor(extreme), rtol=1e-5)


@pytest.mark.parametrize("name", STRONG)
def test_pinned_draws_touch_every_sample_and_reach_as_far_as_random_ones(name: str) -> None:
    operation = make(name, **{**STRONG[name], "p": 0.2})
    images = pictures(20)
    view = View([operation], 24, masks=MASKS)
    pinned = view(images, keys(20), masks=outlines(20), strength=1.0)
    touched = (pinned - images).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert touched.float().mean() > (0.6 if name == "channel_shuffle" else 0.99)
    assert torch.equal(pinned, view(images, keys(20), masks=outlines(20), strength=1.0))


# --- types, memory --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_images_keep_their_type_and_half_precision_is_computed_in_full(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = whole(p=0.7)
    images = pictures().to(dtype)
    got = made(view, images)
    assert got.dtype == dtype
    monkeypatch.setattr(view_module, "_CPU_BLOCK", 2 * 3 * 16 * 16)
    blocks = made(view, images)
    assert blocks.dtype == dtype
    assert torch.allclose(blocks, got, atol=1e-2)
    wanted = made(view, images.float())
    if dtype == torch.float64:  # counts of photons and grey values may fall to either side
        assert ((got - wanted).abs() < 1e-4).double().mean() > 0.99
    else:
        assert torch.equal(got, wanted.to(dtype))


@pytest.mark.parametrize("name", STRONG)
def test_views_leave_what_they_are_given_as_it_was(name: str) -> None:
    images, masks, numbers = pictures(), outlines(), keys()
    result = View([make(name, **STRONG[name])], 24, masks=MASKS)(images, numbers, masks=masks)
    assert torch.equal(images, pictures())
    assert torch.equal(masks, outlines())
    assert torch.equal(numbers, keys())
    result.zero_()  # nor do they give a part of it back
    assert torch.equal(images, pictures())


def test_a_view_of_nothing_is_a_copy() -> None:
    images = pictures()
    View([], 24)(images, keys()).zero_()
    assert torch.equal(images, pictures())


def test_autocast_does_not_reach_the_pixels() -> None:
    view = whole()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = made(view, pictures())
    assert inside.dtype == torch.float32
    assert torch.equal(inside, made(view, pictures()))


# --- channels and errors --------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in STRONG if issubclass(catalogue()[n], Pixel)])
def test_only_the_named_channels_change(name: str) -> None:
    images = pictures(20, channels=4)
    operation = make(name, **STRONG[name], channels=["Actin", "DAPI"])
    changed = (see(operation, images, channels=CHANNELS) - images).abs().amax(dim=(2, 3)) > 1e-4
    assert changed[:, [0, 2]].any(dim=0).all()
    assert not changed[:, [1, 3]].any()


def test_an_unknown_channel_names_the_nearest() -> None:
    operation = make("stain_gain", amplitude=0.1, channels=["Tubuline"])
    with pytest.raises(ValueError, match=r"'Tubuline' is not there .*did you mean 'Tubulin'"):
        View([operation], 8, channels=["DAPI", "Tubulin"])
    with pytest.raises(ValueError, match="no names were given"):
        View([operation], 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: View([], 32)(pictures(), keys()), "wants 32 × 32 px, the crops have 24 × 24"),
        (lambda: View([], 8)(pictures().int(), keys()), "wanted floats"),
        (lambda: View([], 8)(pictures()[0], keys(3)), "wanted floats"),
        (lambda: View([], 8)(pictures(), keys(3)), "keys: got shape"),
        (lambda: View([], 8, channels=["a"])(pictures(), keys()), "images have 3 channels"),
        (lambda: View([], 0), "at least 1 pixel"),
        (lambda: View([Operation()], 8), "no Geometry, Pixel or Masking operation"),
    ],
)
def test_wrong_shapes_are_told(call: Callable[[], object], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_view_says_what_it_is() -> None:
    assert repr(View([make("flip"), make("blur")], 16)) == "View([flip, blur], size=16)"


def test_a_view_keeps_what_it_is_made_of() -> None:
    channels, masks = ["DNA", "ER"], ["cell"]
    view = View(iter([make("flip"), make("blur")]), 16, channels=channels, masks=masks)
    channels.clear(), masks.clear()
    assert repr(view.made_of(view.operations)) == "View([flip, blur], size=16)"
    assert (view.channels, view.masks) == (("DNA", "ER"), ("cell",))


def test_no_image_makes_no_view() -> None:
    assert View([], 8)(torch.rand(0, 3, 12, 12), keys(0)).shape == (0, 3, 8, 8)

"""Stain and light: formulas on known patterns, and light itself under sqrt and log."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from cellssl.augment import View, catalogue
from cellssl.augment.light import Transform, from_light, to_light

from .examples import CHANNELS, STRONG, apply, column, draws, keys, make, pictures, see, see_all

# --- gain, offset, tone ---------------------------------------------------------------------


def test_gain_multiplies_and_is_even_in_the_logarithm() -> None:
    gain = make("stain_gain", amplitude=0.4).parameters(draws("stain_gain"))["gain"]
    assert gain.shape == (20_000, 3)
    assert gain.max() <= math.exp(0.4)
    assert gain.min() >= math.exp(-0.4)
    assert abs(float(gain.log().mean())) < 0.01
    assert abs(float(torch.corrcoef(gain.T)[0, 1])) < 0.03
    images = pictures(2)
    made = apply("stain_gain", images, {"gain": column(0.5, 2.0)}, amplitude=1.0)
    assert torch.allclose(made, images * torch.tensor([0.5, 2.0])[:, None, None, None])


def test_joint_gain_keeps_the_ratio_of_channels() -> None:
    images = pictures() * 0.4 + 0.1
    made = see(make("stain_gain", amplitude=0.4, per_channel=False), images)
    assert torch.allclose(made[:, 0] / made[:, 1], images[:, 0] / images[:, 1], rtol=1e-4)


@pytest.mark.parametrize(
    "name", [name for name, kind in catalogue().items() if "per_channel" in kind.rules()]
)
def test_per_channel_decides_how_often_is_drawn(name: str) -> None:
    sampled = draws(name, count=50)
    alone = make(name, **STRONG[name], per_channel=True).parameters(sampled)
    joint = make(name, **STRONG[name], per_channel=False).parameters(sampled)
    for key in alone:
        assert alone[key].shape == (50, 3)
        assert joint[key].shape == (50, 1)
        assert (alone[key][:, 0] != alone[key][:, 1]).all()


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


def test_contrast_spreads_around_the_mean_of_each_channel() -> None:
    images = pictures(2, channels=2)
    factors = torch.tensor([[0.5, 1.0], [2.0, 0.1]])
    made = apply("contrast", images, {"gain": factors}, amplitude=1.0)
    assert torch.allclose(made.mean(dim=(2, 3)), images.mean(dim=(2, 3)), atol=1e-6)
    assert torch.allclose(made.std(dim=(2, 3)), images.std(dim=(2, 3)) * factors, atol=1e-6)


def test_bleaching_only_dims() -> None:
    kept = make("bleaching", lost=(0.1, 0.6)).parameters(draws("bleaching"))["kept"]
    assert kept.min() >= 0.4 - 1e-6
    assert kept.max() <= 0.9
    assert float(kept.mean()) == pytest.approx(0.65, abs=0.005)
    images = pictures(1)
    made = apply("bleaching", images, {"kept": torch.tensor([[0.5, 1.0, 0.0]])}, lost=(0.0, 1.0))
    assert torch.equal(made, images * torch.tensor([0.5, 1.0, 0.0])[:, None, None])


# --- illumination ---------------------------------------------------------------------------


def light_at(x: float, y: float, *, slope: float, direction: float, falloff: float) -> float:
    """The formula of the docstring; x and y run from −1 to 1 across the view."""
    along = math.cos(direction) * x + math.sin(direction) * y
    return (1 + slope * along) * (1 - falloff * (x**2 + y**2) / 2)


@pytest.mark.parametrize("direction", [0.0, math.pi / 2, -2.0])
@pytest.mark.parametrize(("slope", "falloff"), [(0.5, 0.0), (0.0, 0.8), (0.3, 0.4)])
def test_illumination_is_its_formula(slope: float, falloff: float, direction: float) -> None:
    values = {"slope": slope, "direction": direction, "falloff": falloff}
    params = {key: column(value) for key, value in values.items()}
    made = apply("illumination", torch.ones(1, 1, 8, 8), params, slope=1.0, falloff=1.0)[0, 0]
    places = [(2 * i + 1) / 8 - 1 for i in range(8)]  # middles of pixels
    expected = [[light_at(x, y, **values) for x in places] for y in places]
    assert torch.allclose(made, torch.tensor(expected), atol=1e-6)


def test_a_slope_brightens_where_its_direction_points() -> None:
    flat = torch.full((200, 1, 16, 16), 0.5)
    operation = make("illumination", slope=0.5)
    direction = operation.parameters(draws("illumination", count=200))["direction"][:, 0]
    made = see(operation, flat)[:, 0]
    right = made[:, :, 8:].mean(dim=(1, 2)) - made[:, :, :8].mean(dim=(1, 2))
    down = made[:, 8:].mean(dim=(1, 2)) - made[:, :8].mean(dim=(1, 2))
    assert torch.allclose(torch.atan2(down, right), direction, atol=1e-3)


def test_a_vignette_darkens_the_corners_alike_and_leaves_the_middle() -> None:
    params = {"slope": column(0.0), "direction": column(0.0), "falloff": column(0.6)}
    made = apply("illumination", torch.ones(1, 1, 255, 255), params, falloff=1.0)[0, 0]
    corners = made[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.allclose(corners, torch.tensor(0.4), atol=0.01)
    assert float(made[127, 127]) == 1.0


def test_channels_share_the_illumination_unless_told() -> None:
    flat = torch.full((4, 3, 16, 16), 0.5)
    joint = see(make("illumination", slope=0.5, falloff=0.5), flat)
    alone = see(make("illumination", slope=0.5, falloff=0.5, per_channel=True), flat)
    assert torch.equal(joint[:, 0], joint[:, 1])
    assert (alone[:, 0] - alone[:, 1]).abs().amax(dim=(1, 2)).min() > 0.01


# --- light of other places and other dyes ---------------------------------------------------


def test_haze_adds_the_channels_own_light_spread_wide() -> None:
    images = pictures(2, channels=2)
    amount = torch.tensor([[0.0, 0.5], [0.25, 1.5]])
    made = apply("haze", images, {"amount": amount}, amount=(0.0, 2.0), sigma=3.0)
    spread = ndimage.gaussian_filter(images.numpy(), (0, 0, 3.0, 3.0), mode="mirror")
    expected = images + amount[:, :, None, None] * torch.tensor(spread)
    assert torch.allclose(made, expected, atol=1e-5)


def test_bleed_through_is_a_product_with_a_matrix() -> None:
    images = pictures()
    operation = make("bleed_through", amount=(0.1, 0.4))
    shares = operation.parameters(draws("bleed_through", count=4))["shares"]
    assert not torch.diagonal(shares, dim1=1, dim2=2).any()
    assert ((shares >= 0.1) & (shares <= 0.4)).sum() == 4 * 6
    assert len(shares.unique()) == 4 * 6 + 1  # each pair its own
    mixed = np.einsum("nij,njyx->niyx", np.eye(3) + shares.numpy(), images.numpy())
    made = operation.apply(images, {"shares": shares})  # type: ignore[attr-defined]
    assert np.abs(made.numpy() - mixed).max() < 1e-6


@pytest.mark.parametrize("pair", [("Actin", "DAPI"), ("DAPI", "Actin")])
def test_bleed_through_of_a_pair_goes_one_way(pair: tuple[str, str]) -> None:
    images = pictures(channels=4) * 0.5
    source, target = (CHANNELS.index(channel) for channel in pair)
    values = {"amount": (0.3, 0.3), "source": pair[0], "target": pair[1]}
    made = see(make("bleed_through", **values), images, channels=CHANNELS)
    others = [place for place in range(4) if place != target]
    assert torch.equal(made[:, others], images[:, others])
    assert torch.allclose(made[:, target], images[:, target] + 0.3 * images[:, source])


def test_bleed_through_may_be_limited_to_some_channels() -> None:
    images = pictures(channels=4) * 0.5
    operation = make("bleed_through", amount=(0.3, 0.3), channels=["ER", "Tubulin"])
    made = see(operation, images, channels=CHANNELS)
    assert torch.equal(made[:, [0, 2]], images[:, [0, 2]])
    assert torch.allclose(made[:, 1], images[:, 1] + 0.3 * images[:, 3])
    assert torch.allclose(made[:, 3], images[:, 3] + 0.3 * images[:, 1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "a"}, "bleed_through.source: needs target beside it"),
        ({"target": "a"}, "bleed_through.target: needs source beside it"),
        ({"source": "a", "target": "a"}, "another channel than the source, got 'a' twice"),
        ({"source": "a", "target": "b", "channels": ["a"]}, "source and target, or channels"),
        ({"source": "", "target": "b"}, "expected the name of one channel, got ''"),
    ],
)
def test_half_a_pair_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make("bleed_through", amount=(0.0, 0.1), **values)


def test_a_pair_that_the_data_lack_is_told() -> None:
    operation = make("bleed_through", amount=(0.0, 0.1), source="DAPI", target="Actn")
    with pytest.raises(ValueError, match=r"'Actn' is not there .*did you mean 'Actin'"):
        View([operation], 8, channels=CHANNELS)


# --- light and its transforms ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "light"),
    [
        ("linear", lambda x: x),
        ("sqrt", lambda x: x**2),
        ("log", lambda x: (101.0**x - 1) / 100),
    ],
)
def test_light_undoes_the_curve_of_the_scaling(transform: Transform, light: object) -> None:
    images = pictures().double()
    assert torch.allclose(to_light(images, transform), light(images))  # type: ignore[operator]
    assert torch.allclose(from_light(to_light(images, transform), transform), images)
    ends = torch.tensor([0.0, 1.0])
    assert torch.allclose(to_light(ends, transform), ends)


#: What adds, spreads, dims or is counted as light.
ON_LIGHT = {
    *("airy_blur", "bleaching", "bleed_through", "haze", "illumination"),
    *("motion_blur", "resolution_loss", "shot_noise"),
}


def test_all_operations_on_light_are_under_test() -> None:
    kinds = catalogue().items()
    assert {name for name, kind in kinds if getattr(kind, "in_light", False)} == ON_LIGHT


@pytest.mark.parametrize("transform", ["sqrt", "log"])
@pytest.mark.parametrize("name", sorted(ON_LIGHT))
def test_operations_on_light_convert_apply_and_convert_back(
    name: str, transform: Transform
) -> None:
    images, operation = pictures(), make(name, **STRONG[name])
    made = see(operation, images, transform=transform)
    light = see(operation, to_light(images, transform))
    assert torch.allclose(made, from_light(light, transform), atol=1e-5)
    assert not torch.allclose(made, see(operation, images), atol=1e-3)


@pytest.mark.parametrize("name", ["gamma", "defocus", "read_noise", "bit_depth", "rotate"])
def test_all_others_act_on_the_scaled_range(name: str) -> None:
    operation = make(name, **STRONG[name])
    assert torch.equal(see(operation, pictures(), transform="log"), see(operation, pictures()))


def test_light_is_undone_once_for_neighbours_and_again_after_others() -> None:
    bleach, offset = make("bleaching", lost=(0.5, 0.5)), make("stain_offset", amplitude=0.1)
    view = View([bleach, bleach, offset, bleach], 24, transform="sqrt")
    made = view(pictures(), keys())
    shift = offset.parameters(draws("stain_offset", count=4))["offset"][:, :, None, None]
    expected = ((pictures() / 2 + shift).clamp(min=0) / 2**0.5).clamp(max=1)
    assert torch.allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize("transform", ["sqrt", "log"])
def test_light_far_beyond_full_scale_stays_finite(transform: Transform) -> None:
    # Operations before do not clip: exp(3) of gain is 10^40 of light under the log transform, and
    # what spreads an infinity leaves numbers that are none.
    bright = torch.tensor([0.0, 1.0, 20.0, 400.0])
    assert torch.isfinite(to_light(bright, transform)).all()
    steps = [make("stain_gain", amplitude=3.0), make("airy_blur", radius=(2.0, 5.0))]
    assert torch.isfinite(see_all(steps, pictures(40), transform=transform)).all()

"""Natural-image operations against torchvision at equal parameters."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from cellssl.augment.colour import blend, grey, turn_hue

from .examples import apply, draws, make, pictures, see


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
    greys = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(1)).expand(
        -1, 3, -1, -1
    )
    pure = torch.eye(3)[:, :, None, None].expand(-1, -1, 24, 24)
    images = torch.cat(
        [pictures(), torch.zeros(1, 3, 24, 24), torch.ones(1, 3, 24, 24), greys, pure]
    )
    made = turn_hue(images, torch.full((len(images), 1), turn))
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


def test_jitter_draws_from_torchvisions_ranges() -> None:
    operation = make("color_jitter", brightness=0.4, contrast=1.5, hue=0.1)
    params = operation.parameters(draws("color_jitter"))
    ranges = {"brightness": (0.6, 1.4), "contrast": (0.0, 2.5), "hue": (-0.1, 0.1)}
    for key, (low, high) in ranges.items():
        assert float(params[key].min()) == pytest.approx(low, abs=0.01)
        assert float(params[key].max()) == pytest.approx(high, abs=0.01)
        assert float(params[key].mean()) == pytest.approx((low + high) / 2, abs=0.02)
    assert (params["saturation"] == 1).all()


def test_grey_equals_torchvision_on_rgb_and_is_the_mean_elsewhere() -> None:
    assert torch.allclose(grey(pictures()), reference.rgb_to_grayscale(pictures()), atol=1e-6)
    two = pictures(channels=2)
    assert torch.allclose(grey(two), two.mean(dim=1, keepdim=True))
    made = see(make("grayscale"), two)
    assert torch.equal(made[:, 0], made[:, 1])


def test_solarize_equals_torchvision() -> None:
    images = pictures()
    made = apply("solarize", images, {"threshold": torch.full((4, 1), 0.4)}, threshold=0.4)
    assert torch.equal(made, reference.solarize(images, 0.4))


def test_blending_fully_keeps_every_bit() -> None:
    images = pictures()
    assert torch.equal(blend(images, grey(images), torch.ones(4, 1, 1, 1)), images)


def test_colour_of_two_channels_leaves_hue_out_and_says_so() -> None:
    jitter, two = make("color_jitter", hue=0.2), pictures(channels=2)
    assert torch.equal(see(jitter, two), two)
    assert jitter.caveats(2) == ["hue exists for 3 channels (RGB) only and is left out on 2"]
    assert jitter.caveats(3) == []

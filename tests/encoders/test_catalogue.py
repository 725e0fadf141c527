"""Encoders by name: torchvision's at width 1, any channels and width otherwise."""

import pytest
import torch
import torchvision

from cellssl.encoders import build, names, rebuild
from cellssl.errors import ModelError


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_resnets_at_width_1_are_torchvisions(name: str) -> None:
    theirs = getattr(torchvision.models, name)(weights=None)
    theirs.fc = torch.nn.Identity()
    ours = build(name, 3)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    # float64: the features of a hundred untrained layers are huge, and so is their rounding.
    ours, theirs = ours.eval().double(), theirs.eval().double()
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images))


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg11_bn", "vgg13_bn"])
def test_vggs_convolutions_at_width_1_are_torchvisions(name: str) -> None:
    theirs = getattr(torchvision.models, name)(weights=None, init_weights=False).features
    ours = build(name, 3)
    assert list(ours.features.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.features.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = theirs.eval()(images).mean(dim=(2, 3))
        torch.testing.assert_close(ours.eval()(images), expected)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("width", [0.25, 0.5])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg13", "vgg13_bn"])
def test_any_channels_and_width(name: str, width: float, channels: int) -> None:
    encoder = build(name, channels, width=width)
    full = 2048 if name == "resnet50" else 512
    assert encoder.feature_dim == full * width
    assert encoder(torch.randn(2, channels, 64, 64)).shape == (2, encoder.feature_dim)


def test_planes_are_multiples_of_eight() -> None:
    for module in build("resnet50", 3, width=0.3).modules():
        if isinstance(module, torch.nn.Conv2d):
            assert module.out_channels % 8 == 0


def test_cifar_stem_keeps_the_resolution() -> None:
    encoder = build("resnet18", 3, width=0.25, stem="cifar")
    assert encoder.conv1.stride == (1, 1)
    assert encoder.conv1.kernel_size == (3, 3)
    assert encoder.maxpool(torch.zeros(1, 16, 32, 32)).shape[-1] == 32


def test_v1_differs_from_torchvision_in_the_stride_only() -> None:
    ours, v1 = build("resnet50", 3), build("resnet50-v1", 3)
    assert list(ours.state_dict()) == list(v1.state_dict())
    assert ours.layer2[0].conv2.stride == v1.layer2[0].conv1.stride == (2, 2)
    assert ours.layer2[0].conv1.stride == v1.layer2[0].conv2.stride == (1, 1)
    assert v1.layer1[0].conv1.stride == (1, 1)
    assert ours.layer3[0].downsample[0].stride == v1.layer3[0].downsample[0].stride == (2, 2)


def test_initialisation_is_kaiming_with_live_residual_branches() -> None:
    encoder = build("resnet18", 3)
    weight = encoder.layer3[0].conv1.weight  # 256 planes of 3×3: fan-out 2304
    assert weight.std().item() == pytest.approx((2 / 2304) ** 0.5, rel=0.02)
    assert encoder.layer1[0].bn2.weight.min() == 1


def test_parameters_are_channels_last_and_seeded() -> None:
    torch.manual_seed(3)
    one = build("resnet18", 3, width=0.25)
    torch.manual_seed(3)
    two = build("resnet18", 3, width=0.25)
    assert one.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_description_rebuilds_the_encoder() -> None:
    encoder = build("resnet18", 2, width=0.5, stem="cifar")
    again = rebuild(encoder.describe())
    assert again.feature_dim == encoder.describe()["feature_dim"] == 256
    again.load_state_dict(encoder.state_dict())


def test_a_strange_description_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be rebuilt"):
        rebuild({"name": "resnet18", "depth": 3})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "resnet19", "in_channels": 3}, "did you mean 'resnet1"),
        ({"name": "resnet18", "in_channels": 0}, "at least one channel"),
        ({"name": "resnet18", "in_channels": 3, "width": 0}, "width must be"),
        ({"name": "resnet18", "in_channels": 3, "stem": "tiny"}, "'imagenet' or 'cifar'"),
        ({"name": "vgg13_bn", "in_channels": 3, "stem": "cifar"}, "no 'cifar' stem"),
    ],
)
def test_what_cannot_be_built_is_said(arguments: dict, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        build(**arguments)


def test_names_can_all_be_built() -> None:
    assert all(build(name, 1, width=0.125).name == name for name in names())

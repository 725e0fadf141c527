"""Pretrained weights: from a file or by name, for three channels and others, refused when wrong."""

import pickle
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from torchvision.transforms.v2.functional import resize

from cellssl.encoders import build, load_pretrained, weights_at_hand
from cellssl.errors import ModelError

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


@pytest.fixture(scope="module")
def resnet18() -> torchvision.models.ResNet:
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None).eval()


@pytest.fixture(scope="module")
def weights(resnet18: torchvision.models.ResNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18.state_dict(), path)
    return path


def _features(network: torchvision.models.ResNet, images: torch.Tensor) -> torch.Tensor:
    """torchvision's network up to its classifier, on RGB images in [0, 1]."""
    x = (images - MEAN) / STD
    for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        x = getattr(network, name)(x)
    return x.mean(dim=(2, 3))


@torch.inference_mode()
def test_three_channels_are_red_green_blue(
    resnet18: torchvision.models.ResNet, weights: Path
) -> None:
    images = torch.rand(2, 3, 64, 64)
    encoder = load_pretrained("resnet18", channels=3, weights=weights, size=64)
    assert encoder.mapping == "rgb"
    assert not encoder.training
    torch.testing.assert_close(encoder(images), _features(resnet18, images), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_crops_are_resized_with_antialiasing(
    resnet18: torchvision.models.ResNet, weights: Path
) -> None:
    images = torch.rand(2, 3, 90, 90)
    resized = resize(images, [64, 64], antialias=True)
    encoder = load_pretrained("resnet18", channels=3, weights=weights, size=64)
    torch.testing.assert_close(encoder(images), _features(resnet18, resized), rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_other_counts_go_channel_by_channel(
    resnet18: torchvision.models.ResNet, weights: Path
) -> None:
    images = torch.rand(2, 2, 64, 64)
    encoder = load_pretrained("resnet18", channels=2, weights=weights, size=64)
    assert encoder.mapping == "per-channel"
    assert encoder.feature_dim == 1024
    expected = [_features(resnet18, images[:, [c, c, c]]) for c in (0, 1)]
    torch.testing.assert_close(encoder(images), torch.cat(expected, 1), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_inflated_stem_sees_equal_channels_as_grey(weights: Path) -> None:
    grey = torch.rand(2, 1, 64, 64)
    outputs = [
        load_pretrained("resnet18", channels=c, weights=weights, mapping="inflate", size=64)(
            grey.expand(-1, c, -1, -1)
        )
        for c in (1, 2, 5)
    ]
    assert outputs[0].shape == (2, 512)
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(outputs[2], outputs[0], rtol=1e-3, atol=1e-3)


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    source = build("resnet18", 3)
    torch.save({k: t.half() for k, t in source.state_dict().items()}, tmp_path / "half.pth")
    encoder = load_pretrained("resnet18", channels=3, weights=tmp_path / "half.pth")
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    torch.testing.assert_close(
        encoder.network.conv1.weight, source.conv1.weight, rtol=1e-3, atol=1e-5
    )


def test_provenance_names_the_file(weights: Path) -> None:
    encoder = load_pretrained("resnet18", channels=3, weights=weights)
    assert (encoder.weights, len(encoder.weights_sha256)) == ("resnet18.pth", 64)
    assert encoder.describe()["name"] == "resnet18"


def test_original_resnet50_loads_by_its_own_name(data: Path) -> None:
    file = data / "weights" / "resnet50_imagenet_v1_fp16.pth"
    encoder = load_pretrained("resnet50-v1", channels=3, weights=file, size=64)
    assert encoder.name == "resnet50-v1"
    assert encoder.network.layer3[0].conv1.stride == (2, 2)
    assert encoder.feature_dim == 2048
    # The published batch statistics fit the network only with the stride where it was in training.
    wrong = load_pretrained("resnet50", channels=3, weights=file, size=64)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(encoder(images), wrong(images), atol=0.1)


def test_weights_of_another_network_are_named(weights: Path) -> None:
    with pytest.raises(ModelError, match=r"missing \(layer1.0.conv3.weight") as caught:
        load_pretrained("resnet50", channels=3, weights=weights)
    assert "of another shape" in str(caught.value)
    assert "weights of this resnet50" in str(caught.value)


def _write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"conv1.weight": Path()}))


def _write_torch_pickle(path: Path) -> None:
    torch.save({"model": build("resnet18", 3, width=0.125)}, path)


def _write_garbage(path: Path) -> None:
    path.write_bytes(b"these are no weights")


def _write_truncated(path: Path) -> None:
    torch.save(build("resnet18", 3, width=0.125).state_dict(), path)
    path.write_bytes(path.read_bytes()[:100_000])


def _write_momentum_contrast(path: Path) -> None:
    """Names as MoCo's authors have them, in the state dict of their checkpoints."""
    state = torchvision.models.resnet18().state_dict()
    both = {f"module.encoder_{x}.{key}": value for x in "qk" for key, value in state.items()}
    torch.save({**both, "module.queue": torch.zeros(2)}, path)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (_write_pickle, "pickle"),
        (_write_torch_pickle, "pickle"),
        (_write_garbage, "cannot be read|pickle"),
        (_write_truncated, "cut short|pickle"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: torch.save([torch.zeros(1)], path), "holds list"),
        (lambda path: torch.save({"encoder_state": {}}, path), "--model"),
        (
            _write_momentum_contrast,
            r"begin with 'module\.encoder_q\.' and 'module\.encoder_k\.' \(one may be the moving",
        ),
        (
            lambda path: torch.save({"epoch": 3, "state_dict": {"a": torch.zeros(1)}}, path),
            "Its entry 'state_dict' may be one: save it by itself",
        ),
        (lambda path: path.unlink(missing_ok=True), "no weights file"),
    ],
)
def test_files_that_are_no_weights_are_refused(write, said: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write(path)
    with pytest.raises(ModelError, match=said):
        load_pretrained("resnet18", channels=3, weights=path)


def test_offline_says_which_file_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise URLError("no network here")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(ModelError, match=r"resnet101-63fe2227\.pth .*--weights FILE"):
        load_pretrained("resnet101", channels=3)


def test_published_weights_are_found_where_torchvision_keeps_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    kept = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(weights.read_bytes())
    assert load_pretrained("resnet18", channels=3).weights == kept.name
    assert weights_at_hand("resnet18") == kept
    assert weights_at_hand("resnet101") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "resnet50-v1", "channels": 3}, "--weights FILE"),
        ({"name": "resnet99", "channels": 3}, "no encoder is called"),
        ({"name": "resnet18", "channels": 2, "mapping": "rgb"}, "needs three channels"),
        ({"name": "resnet18", "channels": 3, "mapping": "grey"}, "must be one of"),
        ({"name": "resnet18", "channels": 3, "size": 16}, "32 pixels"),
    ],
)
def test_what_cannot_be_loaded_is_said(arguments: dict, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load_pretrained(**arguments)

"""The protocols that come with cellssl: right, reasoned, and what they say they are."""

from pathlib import Path

import pytest
import torch

from cellssl.augment import Operation
from cellssl.protocols import (
    Protocol,
    build_encoder,
    build_method,
    build_views,
    check,
    choose_channels,
    dump,
    from_dict,
    load,
    loads,
    names,
)

FILES = Path(__file__).parents[2] / "protocols"
EXPERT = {
    "bbbc021-expert",
    "bbbc021-microtubules",
    "bbbc021-actin",
    "bbbc021-two-heads",
    "nuclear-morphology",
    "translocation-expert",
    "cell-cycle",
    "mnist-styles-forgotten",
    "mnist-shapes-forgotten",
}
METHODS = ("simclr", "moco", "byol", "barlow-twins", "vicreg")
#: recipe, smallest box, jitter, chance of blur and of solarisation in either view:
#: solo-learn's published values for ImageNet-100 and for CIFAR
REFERENCE = [
    ("simclr", 0.08, (0.8, 0.8, 0.8, 0.2), (0.5, 0.5), (0.5, 0.5), (0, 0)),
    ("moco", 0.08, (0.4, 0.4, 0.4, 0.1), (0.5, 0.5), (0.5, 0.5), (0, 0)),
    ("byol", 0.08, (0.4, 0.4, 0.2, 0.1), (1.0, 0.1), (0, 0), (0, 0.2)),
    ("barlow-twins", 0.08, (0.4, 0.4, 0.2, 0.1), (1.0, 0.1), (0, 0), (0, 0.2)),
    ("vicreg", 0.2, (0.4, 0.4, 0.2, 0.1), (0.5, 0.5), (0, 0), (0.1, 0.1)),
]


#: the same source's settings for CIFAR: optimiser, learning rate, decay, and the method's own
SETTINGS = {
    "simclr": ("lars", 0.4, 1e-4, {"hidden": 2048, "dim": 256, "temperature": 0.2}),
    "moco": (
        "sgd",
        0.3,
        1e-4,
        {
            "hidden": 2048,
            "dim": 256,
            "temperature": 0.2,
            "queue": 32768,
            "momentum": 0.99,
            "final_momentum": 0.999,
            "symmetric": True,
        },
    ),
    "byol": (
        "lars",
        1.0,
        1e-5,
        {
            "hidden": 4096,
            "dim": 256,
            "predictor_hidden": 4096,
            "momentum": 0.99,
            "final_momentum": 1.0,
        },
    ),
    "barlow-twins": (
        "lars",
        0.3,
        1e-4,
        {"hidden": 2048, "dim": 2048, "off_diagonal": 0.0051, "scale": 0.1},
    ),
    "vicreg": ("lars", 0.3, 1e-4, {"hidden": 2048, "dim": 2048, "sim": 25, "var": 25, "cov": 1}),
}


def operations(protocol: Protocol) -> list[Operation]:
    return [operation for view in protocol.views for operation in view.operations]


def test_all_that_are_meant_to_be_there_are() -> None:
    natural = {f"{images}-{method}" for images in ("natural", "cifar") for method in METHODS}
    assert set(names()) == EXPERT | natural


@pytest.mark.parametrize("name", names())
def test_they_are_called_by_their_file(name: str) -> None:
    protocol = load(name)
    assert protocol.name == name
    assert protocol.description


@pytest.mark.parametrize("name", names())
def test_they_give_a_reason_for_everything(name: str) -> None:
    assert all(operation.because for operation in operations(load(name)))


@pytest.mark.parametrize("name", names())
def test_they_begin_with_an_essay(name: str) -> None:
    lines = (FILES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    essay = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    assert len(essay) >= 7
    assert "version: 2" in lines


@pytest.mark.parametrize("name", names())
def test_dump_is_resolved_and_reads_back_equal(name: str, tmp_path: Path) -> None:
    protocol = load(name)
    path = tmp_path / "protocol.yaml"
    path.write_text(dump(protocol), encoding="utf-8")
    assert load(path) == protocol
    assert load(str(path)) == protocol
    assert from_dict(protocol.to_dict()) == protocol
    assert "weight_decay: " in dump(protocol)


@pytest.mark.parametrize("name", names())
def test_they_build_and_run(name: str) -> None:
    protocol = load(name)
    channels = choose_channels(protocol, ["GFP", "DNA"])
    views = build_views(protocol, channels, ["nucleus"])
    images = torch.rand(4, len(channels), 96, 96)
    masks = torch.ones(4, 1, 96, 96, dtype=torch.uint8)
    view1, view2, *_ = views(images, protocol.training.seed, 0, torch.arange(4), masks=masks)
    cells = 4 // len(protocol.groups) if protocol.training.divide_batch else 4
    assert view1.shape == (cells, len(channels), protocol.crop.size, protocol.crop.size)
    method = build_method(protocol, build_encoder(protocol, len(channels)))
    assert torch.isfinite(method.loss(view1, view2))


@pytest.mark.parametrize("name", sorted(EXPERT - {"nuclear-morphology"}))
def test_experts_protocols_fit_crops_that_are_half_as_large_again(name: str) -> None:
    protocol = load(name)
    channels = choose_channels(protocol, ["ink"])
    stored = round(1.5 * protocol.crop.size)
    found = check(protocol, channels=channels, stored_size=stored)
    assert not [finding for finding in found if finding.level == "error"]


@pytest.mark.parametrize(
    ("method", "smallest", "jitter", "blur", "cifar_blur", "solarize"), REFERENCE
)
@pytest.mark.parametrize("images", ["natural", "cifar"])
def test_natural_recipes_have_the_published_values(
    images: str,
    method: str,
    smallest: float,
    jitter: tuple[float, ...],
    blur: tuple[float, float],
    cifar_blur: tuple[float, float],
    solarize: tuple[float, float],
) -> None:
    protocol = load(f"{images}-{method}")
    views = build_views(protocol, ("red", "green", "blue")).views
    assert protocol.crop.interpolation == "bicubic"
    for number, view in enumerate(views):
        found = {operation.name: operation for operation in view.operations}
        crop, colour = found["resized_crop"], found["color_jitter"]
        assert crop.area == (smallest, 1.0)  # type: ignore[attr-defined]
        parts = [getattr(colour, part) for part in ("brightness", "contrast", "saturation", "hue")]
        assert parts == list(jitter)
        assert (colour.p, found["grayscale"].p, found["flip"].p) == (0.8, 0.2, 0.5)
        assert not found["flip"].vertical  # type: ignore[attr-defined]
        wanted = (blur if images == "natural" else cifar_blur)[number]
        assert (found["blur"].p if "blur" in found else 0) == wanted
        assert (found["solarize"].p if "solarize" in found else 0) == solarize[number]


@pytest.mark.parametrize("method", METHODS)
def test_cifar_protocols_have_the_published_settings(method: str) -> None:
    optimizer, rate, decay, options = SETTINGS[method]
    training = load(f"cifar-{method}").training
    assert training.method == method.replace("-", "_")
    assert (training.optimizer, training.lr, training.weight_decay) == (optimizer, rate, decay)
    assert training.method_options == options
    assert (training.batch_size, training.accumulate) == (256, 1)
    assert (training.epochs, training.warmup_epochs) == (1000, 10)
    assert (training.encoder, training.width, training.stem) == ("resnet18", 1.0, "cifar")


def test_natural_protocols_differ_in_method_and_views_alone() -> None:
    simclr = load("natural-simclr")
    for method in METHODS:
        protocol = load(f"natural-{method}")
        assert protocol.training.method == method.replace("-", "_")
        same = {"method": "simclr", "method_options": simclr.training.method_options}
        assert protocol.training.model_copy(update=same) == simclr.training
        assert protocol.crop == simclr.crop


def test_the_expert_and_the_natural_protocol_differ_in_their_views_alone() -> None:
    expert, natural = load("bbbc021-expert"), load("natural-simclr")
    assert expert.crop.scaling == natural.crop.scaling
    assert expert.crop.size == natural.crop.size
    assert expert.training == natural.training
    assert expert.views != natural.views


def test_the_two_sets_for_mnist_differ_in_their_views_alone() -> None:
    first, second = load("mnist-styles-forgotten"), load("mnist-shapes-forgotten")
    assert first.crop == second.crop
    assert first.training == second.training
    ours, theirs = ({op.name for op in operations(p)} for p in (first, second))
    assert ours & theirs == {"shift"}


def test_a_translocation_keeps_ratios() -> None:
    found = operations(load("translocation-expert"))
    kept = {"gamma", "stain_offset", "color_jitter", "grayscale", "contrast"}
    assert not kept & {operation.name for operation in found}
    (gain,) = (operation for operation in found if operation.name == "stain_gain")
    assert not gain.per_channel  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["nuclear-morphology", "cell-cycle"])
def test_dna_content_stays_a_sum(name: str) -> None:
    protocol = load(name)
    assert protocol.crop.scaling.transform == "linear"
    assert protocol.crop.scaling.per == "plate"
    found = {operation.name: operation for operation in operations(protocol)}
    assert not {"zoom", "gamma", "contrast", "stain_offset", "saturation"} & set(found)
    assert found["stain_gain"].amplitude <= 0.05  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["nuclear-morphology", "cell-cycle"])
def test_views_keep_dna_content(name: str) -> None:
    protocol = load(name)
    (gain,) = (op for op in operations(protocol) if op.name == "stain_gain")
    place = torch.arange(72) - 35.5
    far = place[:, None] ** 2 / 36 + place**2 / 81
    nucleus = (0.5 * torch.exp(-(far**2))).expand(64, 1, 72, 72)
    masks = (far < 1.5).to(torch.uint8).expand(64, 1, 72, 72)
    views = build_views(protocol, protocol.channels, ["nucleus"])
    for made in views(nucleus, 0, 0, torch.arange(64), masks=masks):
        change = torch.log(made.sum(dim=(1, 2, 3)) / nucleus[0].sum())
        assert float(change.abs().max()) < gain.amplitude + 0.02  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "stain"), [("bbbc021-microtubules", "Tubulin"), ("bbbc021-actin", "Actin")]
)
def test_what_is_asked_about_varies_less_than_the_rest(name: str, stain: str) -> None:
    protocol, expert = load(name), load("bbbc021-expert")
    assert (protocol.crop, protocol.training) == (expert.crop, expert.training)
    assert not {"elastic", "shear", "stretch", "haze"} & {op.name for op in operations(protocol)}
    found = {(op.name, *op.named_channels().get("channels", ())): op for op in operations(protocol)}
    others = tuple(channel for channel in protocol.channels if channel != stain)
    own, rest = found["stain_gain", stain], found["stain_gain", *others]
    assert own.amplitude < 0.1 < rest.amplitude  # type: ignore[attr-defined]
    assert {key[1:] for key in found if key[0] in ("gamma", "stain_offset")} == {others}
    before = {op.name: op for op in operations(expert)}
    for softened in ("defocus", "read_noise"):
        assert found[softened,].sigma[1] < before[softened].sigma[1]  # type: ignore[attr-defined]


def test_the_cell_cycle_takes_a_marker_beside_dna() -> None:
    text = (FILES / "cell-cycle.yaml").read_text(encoding="utf-8")
    lines = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
    child = loads("\n".join(lines[:3]))
    assert child.channels == ("DNA", "EdU")
    assert child.views == load("cell-cycle").views

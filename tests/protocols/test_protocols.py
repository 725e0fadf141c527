"""Protocols load, say what they do, write themselves out, build, and are held against data."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from cellssl.errors import ProtocolError
from cellssl.protocols import (
    build_encoder,
    build_method,
    build_views,
    check,
    choose_channels,
    describe,
    dump,
    from_dict,
    load,
    loads,
    names,
)

SHIPPED = ["bbbc021-expert", "natural-moco", "natural-simclr", "translocation-expert"]


def small(views: str, *, channels: str = "[DAPI, Actin]", size: int = 16) -> str:
    return f"name: small\nchannels: {channels}\ncrop: {{size: {size}}}\nviews: {views}\n"


def test_the_shipped_protocols_are_there() -> None:
    assert set(SHIPPED) <= set(names())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_protocols_are_called_by_their_file(name: str) -> None:
    protocol = load(name)
    assert protocol.name == name
    assert protocol.description


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_protocols_give_a_reason_for_everything(name: str) -> None:
    assert all(operation.because for view in load(name).views for operation in view)


@pytest.mark.parametrize("name", SHIPPED)
def test_dump_is_resolved_and_reads_back_equal(name: str, tmp_path: Path) -> None:
    protocol = load(name)
    path = tmp_path / "protocol.yaml"
    path.write_text(dump(protocol), encoding="utf-8")
    assert load(path) == protocol
    assert load(str(path)) == protocol
    assert from_dict(protocol.to_dict()) == protocol
    assert "weight_decay: 0.0001" in dump(protocol)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_protocols_build_and_run(name: str) -> None:
    protocol = load(name)
    channels = choose_channels(protocol, ["GFP", "DNA"])
    views = build_views(protocol, channels)
    images = torch.rand(4, len(channels), 96, 96)
    view1, view2 = views(images, protocol.training.seed, 0, torch.arange(4))
    assert view1.shape == (4, len(channels), protocol.crop.size, protocol.crop.size)
    method = build_method(protocol, build_encoder(protocol, len(channels)))
    assert torch.isfinite(method.loss(view1, view2))


def test_the_expert_and_the_natural_protocol_differ_in_their_views_alone() -> None:
    expert, natural = load("bbbc021-expert"), load("natural-simclr")
    assert expert.crop == natural.crop
    assert expert.training == natural.training
    assert expert.views != natural.views


def test_a_translocation_keeps_ratios() -> None:
    view = load("translocation-expert").views[0]
    names_ = {operation.name for operation in view}
    assert not names_ & {"gamma", "stain_offset", "color_jitter", "grayscale"}
    (gain,) = (operation for operation in view if operation.name == "stain_gain")
    assert not gain.per_channel  # type: ignore[attr-defined]


def test_numbers_and_words_mean_what_they_look_like() -> None:
    text = small("[[]]", channels="[no, on, 1e3x, ~x]") + "training: {lr: 2e-3, weight_decay: 1E-5}"
    protocol = loads(text)
    assert protocol.channels == ("no", "on", "1e3x", "~x")
    assert (protocol.training.lr, protocol.training.weight_decay) == (0.002, 1e-5)
    odd = loads(small("[[]]").replace("small", '"1e-3"'))
    assert odd.name == "1e-3"
    assert loads(dump(odd)) == odd


def test_protocols_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load("bbbc021-expert").name = "other"


def test_two_views_may_differ() -> None:
    text = small("[[rotate: {degrees: 90}], [blur: {}, solarize: {p: 0.2}]]")
    protocol = loads(text)
    views = build_views(protocol, protocol.channels)
    assert [operation.name for operation in views.view2.operations] == ["blur", "solarize"]
    assert describe(protocol)["view"].tolist() == ["1", "2", "2"]


def test_an_operation_may_have_no_values() -> None:
    (operation,) = loads("name: a\nchannels: any\ncrop: {size: 8}\nviews:\n  - - blur:\n").views[0]
    assert operation.name == "blur"


def test_describe_shows_amplitudes_units_and_reasons() -> None:
    table = describe(load("bbbc021-expert")).set_index("operation")
    assert table.loc["defocus", "amplitude"] == "sigma 0.1–1.5 px"
    assert table.loc["defocus", "p"] == "0.3"
    assert table.loc["rotate", "makes the encoder blind to"] == "orientation"
    assert table.loc["defocus", "because"] == "focus drifts across the plate"


# --- against data ---------------------------------------------------------------------------


def test_nothing_is_found_where_all_is_well() -> None:
    protocol = load("bbbc021-expert")
    assert check(protocol, channels=["Actin", "DAPI", "Tubulin"], stored_size=105) == []


def test_channels_that_the_data_lack_are_errors() -> None:
    found = check(load("bbbc021-expert"), channels=["DAPI", "Tubuline"], stored_size=96)
    assert [finding.level for finding in found] == ["error", "error"]
    assert "channel 'Tubulin' is not in the data, which have DAPI, Tubuline" in found[0].message
    assert "did you mean 'Tubuline'?" in found[0].message


def test_views_larger_than_the_crops_are_errors() -> None:
    (found,) = check(load("natural-simclr"), channels=["a"], stored_size=40)
    assert found.level == "error"
    assert "crop.size is 64 px, but the crops have 40 px" in found.message
    assert "1.5 × 64 = 96 px is good" in found.message


@pytest.mark.parametrize(
    ("views", "needed"),
    [
        ("[[]]", 16),
        ("[[flip: {}]]", 16),
        ("[[rotate: {degrees: 180}]]", 23),  # 16·√2 = 22.6
        ("[[shift: {pixels: 3}]]", 22),
        ("[[zoom: {area: [0.5, 4]}]]", 32),
        ("[[resized_crop: {}]]", 16),
        ("[[rotate: {degrees: 180}, shift: {pixels: 2}]]", 29),  # (16 + 4)·√2 = 28.3
        ("[[shift: {pixels: 2}, rotate: {degrees: 180}]]", 27),  # 16·√2 + 4 = 26.6
    ],
)
def test_how_large_crops_must_be(views: str, needed: int) -> None:
    protocol = loads(small(views))
    assert check(protocol, channels=["DAPI", "Actin"], stored_size=needed) == []
    assert build_views(protocol, ("DAPI", "Actin")).view1.stored_size() == needed


def test_mirrored_borders_are_warned_of_with_numbers() -> None:
    (found,) = check(load("bbbc021-expert"), channels=["DAPI", "Tubulin", "Actin"], stored_size=68)
    assert found.level == "warning"
    assert "of a view's pixels lie beyond the stored crops of 68 px" in found.message
    assert "crops of 105 px need no mirror" in found.message


def test_colour_on_two_channels_is_warned_of() -> None:
    found = check(load("natural-simclr"), channels=["GFP", "DNA"], stored_size=96)
    assert all(finding.level == "warning" for finding in found)
    told = " | ".join(finding.message for finding in found)
    assert "hue exists for 3 channels (RGB) only and is left out on 2" in told
    assert "saturation blends with the plain mean of the 2 channels" in told
    assert check(load("natural-simclr"), channels=["r", "g", "b"], stored_size=64) == []


def test_channels_are_chosen_by_the_protocol() -> None:
    expert = load("bbbc021-expert")
    assert choose_channels(expert, ["Actin", "DAPI", "Tubulin"]) == ("DAPI", "Tubulin", "Actin")
    assert choose_channels(load("natural-moco"), ["a", "b"]) == ("a", "b")


def test_building_for_other_channels_is_an_error() -> None:
    protocol = loads(small("[[stain_gain: {amplitude: 0.1, channels: [Actin]}]]"))
    with pytest.raises(ProtocolError, match=r"protocol small: .*'Actin' is not there"):
        build_views(protocol, ("DAPI", "ER"))

"""Protocols load, say what they do, write themselves out, and build."""

import pytest
from pydantic import ValidationError

from cellssl.errors import ProtocolError
from cellssl.protocols import (
    build_views,
    choose_channels,
    describe,
    dump,
    extend,
    load,
    loads,
    resolve,
    summarise,
)

from .examples import small


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
    assert [operation.name for operation in views.views[1].operations] == ["blur", "solarize"]
    assert describe(protocol)["view"].tolist() == ["1", "2", "2"]


def test_an_operation_may_have_no_values() -> None:
    (operation,) = (
        loads("name: a\nchannels: any\ncrop: {size: 8}\nviews:\n  - - blur:\n").views[0].operations
    )
    assert operation.name == "blur"


def test_describe_shows_amplitudes_units_and_reasons() -> None:
    table = describe("bbbc021-expert").set_index("operation")
    assert table.loc["defocus", "amplitude"] == "sigma 0.1–1.5 px"
    assert table.loc["defocus", "p"] == "0.3"
    assert table.loc["rotate", "makes the encoder blind to"] == "orientation"
    assert table.loc["defocus", "because"] == "focus drifts across the plate"


def test_a_name_or_file_stands_for_its_protocol(tmp_path) -> None:
    blind = extend("bbbc021-expert", {"name": "blind", "keep": ["rotate"]})
    assert repr(blind) == str(blind) == "Protocol(blind, DAPI + Tubulin + Actin, 64 px: rotate)"
    (tmp_path / "blind.yaml").write_text(dump(blind))
    assert describe(tmp_path / "blind.yaml").equals(describe(blind))
    assert summarise(tmp_path / "blind.yaml") == summarise(blind)


def test_describe_numbers_views_and_names_channels() -> None:
    text = small(
        "[[rotate: {degrees: 90}], [], {operations: [bleed_through: {amount: [0, 0.2], source: DAPI, "
        "target: Actin}, mask_background: {mask: cell}], count: 4, size: 8}]"
    )
    table = describe(loads(text))
    assert table["view"].tolist() == ["1", "3–6, 8 px", "3–6, 8 px"]
    assert table["amplitude"].tolist() == [
        "degrees 90",
        "amount 0–0.2 of the light, source DAPI, target Actin",
        "grow 0 px, mask cell",
    ]


def test_summary_says_what_surrounds_the_views() -> None:
    protocol = resolve("natural-moco", {"positives": "same_well", "crop.border": "mirror"})
    crop, positives, training = summarise(protocol)
    assert "channels: any; crop: 64 px, border mirror, bicubic; scaling: per global" in crop
    assert positives == "positives: same_well (weak supervision: the plate's layout is used)"
    assert training == "training: moco on resnet18, 25 epochs, batches of 256"
    shared = resolve(
        "bbbc021-two-heads", {"training.own_stages": 0, "training.divide_batch": False}
    )
    assert summarise(shared)[2].endswith("; a head for each of expert and geometry, on one encoder")
    assert summarise("bbbc021-two-heads")[2].endswith(
        "; a head for each of expert and geometry, with 1 last stage of its own, and a part of each batch"
    )


def test_crop_decides_border_interpolation_and_light() -> None:
    crop = "{size: 16, border: zeros, interpolation: bicubic, scaling: {transform: log}}"
    text = small("[[]]").replace("{size: 16}", crop)
    view = build_views(loads(text), ("DAPI", "Actin")).views[0]
    assert (view.border, view.interpolation, view.transform) == ("zeros", "bicubic", "log")
    assert loads(dump(loads(text))) == loads(text)


def test_masks_are_given_to_the_views() -> None:
    protocol = loads(small("[[mask_background: {}]]"))
    assert build_views(protocol, ("DAPI", "Actin"), ("nucleus",)).needs_masks
    with pytest.raises(ProtocolError, match="protocol small: mask_background needs masks"):
        build_views(protocol, ("DAPI", "Actin"))


def test_channels_are_chosen_by_the_protocol() -> None:
    expert = load("bbbc021-expert")
    assert choose_channels(expert, ["Actin", "DAPI", "Tubulin"]) == ("DAPI", "Tubulin", "Actin")
    assert choose_channels(load("natural-moco"), ["a", "b"]) == ("a", "b")


def test_building_for_other_channels_is_an_error() -> None:
    protocol = loads(small("[[stain_gain: {amplitude: 0.1, channels: [Actin]}]]"))
    with pytest.raises(ProtocolError, match=r"protocol small: .*'Actin' is not there"):
        build_views(protocol, ("DAPI", "ER"))

"""Protocols are held against crops: what cannot be, and what one should know."""

import pytest
import torch

from cellssl.errors import ProtocolError
from cellssl.protocols import Finding, build_views, check, load, loads, require_fit, resolve

from .examples import small

CHANNELS = ("DAPI", "Actin")


def messages(found: list[Finding]) -> list[str]:
    return [finding.message for finding in found]


def test_nothing_is_found_where_all_is_well() -> None:
    protocol = load("bbbc021-expert")
    assert check(protocol, channels=["Actin", "DAPI", "Tubulin"], stored_size=105) == []


def test_channels_that_the_data_lack_are_errors() -> None:
    (one,) = check(load("bbbc021-expert"), channels=["DAPI", "Actin", "ER"], stored_size=96)
    assert "channel 'Tubulin' is not in the data, which have DAPI, Actin, ER. " in one.message
    found = check(load("bbbc021-expert"), channels=["DAPI", "Tubuline"], stored_size=96)
    assert [finding.level for finding in found] == ["error"]  # what there is, is said once
    assert "channels 'Tubulin' and 'Actin' are not in the data, which have DAPI, Tubuline" in (
        found[0].message
    )
    assert "did you mean 'Tubuline'?" in found[0].message
    # Which of the data's channels is meant nobody knows here: none is put into the example.
    assert "--channel FILE=Tubulin; for crops that are there already, of `cel" in found[0].message


def test_views_larger_than_the_crops_are_errors() -> None:
    (found,) = check(load("natural-simclr"), channels=["a"], stored_size=40)
    assert found.level == "error"
    assert "crop.size is 64 px, but the crops have 40 px" in found.message
    assert "1.5 × 64 = 96 px is good" in found.message


@pytest.mark.parametrize(
    ("views", "needed"),
    [
        ("[[blur: {sigma: [0, 1]}]]", 16),
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
    assert build_views(protocol, ("DAPI", "Actin")).views[0].stored_size() == needed


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


def test_operations_on_masks_need_them() -> None:
    protocol = loads(small("[[mask_background: {mask: cell, p: 0.5}]]"))
    (found,) = check(protocol, channels=CHANNELS, stored_size=24)
    assert found == Finding(
        "error",
        "mask_background needs masks; these crops have none: cut them with masks, or remove it",
    )
    (found,) = check(protocol, channels=CHANNELS, stored_size=24, masks=["nucleus"])
    assert "mask_background needs the cell mask; these crops have nucleus" in found.message
    assert check(protocol, channels=CHANNELS, stored_size=24, masks=["nucleus", "cell"]) == []


def test_positives_need_their_columns() -> None:
    protocol = resolve("natural-moco", {"positives": "same_treatment"})
    fits = {"channels": CHANNELS, "stored_size": 64}
    assert all(finding.level == "warning" for finding in check(protocol, **fits))
    (found,) = check(protocol, columns=["Metadata_Plate", "Metadata_Compund"], **fits)
    assert (
        "same_treatment needs the column Metadata_Compound, which the cells lack" in found.message
    )
    assert found.message.endswith("did you mean 'Metadata_Compund'?")


@pytest.mark.parametrize(
    ("border", "said"), [("mirror", "are mirrored"), ("zeros", "become black")]
)
def test_what_comes_from_beyond_the_view_is_told(border: str, said: str) -> None:
    text = small("[[rotate: {degrees: 180}]]").replace(
        "{size: 16}", f"{{size: 16, border: {border}}}"
    )
    (found,) = check(loads(text), channels=CHANNELS, stored_size=64)
    assert found.level == "warning"
    assert "of a view's pixels come from beyond its 16 px and " + said in found.message


def test_each_entry_of_the_views_is_checked_and_named() -> None:
    views = "[[], [], {operations: [rotate: {degrees: 180}], size: 16, count: 3}]"
    (found,) = check(loads(small(views)), channels=CHANNELS, stored_size=16)
    assert found.message.startswith("views 3–5: ")


def test_what_cannot_be_is_raised_with_all_its_reasons() -> None:
    protocol = loads(small("[[mask_background: {}]]"))
    with pytest.raises(
        ProtocolError, match="small does not fit these cells:\n  channel 'DAPI'"
    ) as caught:
        require_fit(protocol, channels=["Actin"], stored_size=8)
    assert "crop.size is 16 px" in str(caught.value)
    assert "needs masks" in str(caught.value)


# --- made of images -------------------------------------------------------------------------


def bright() -> torch.Tensor:
    """64 images: DAPI dim, Actin near white; nothing is at an end of the scale."""
    images = torch.rand(64, 2, 24, 24, generator=torch.Generator().manual_seed(0))
    return torch.stack([0.2 + 0.1 * images[:, 0], 0.8 + 0.1 * images[:, 1]], dim=1)


def test_views_that_saturate_are_told_by_channel_and_operation() -> None:
    protocol = loads(
        small("[[flip: {}, stain_gain: {amplitude: 0.5}, stain_offset: {amplitude: 0.01}]]")
    )
    (said,) = messages(check(protocol, channels=CHANNELS, stored_size=24, images=bright()))
    assert (
        "of Actin's pixels are saturated by view 1 (0.0% before, 0.0% without stain_gain)" in said
    )
    assert said.endswith("lower stain_gain")


def test_views_that_blacken_are_told() -> None:
    protocol = loads(small("[[], [stain_offset: {amplitude: 0.6}]]"))
    found = messages(check(protocol, channels=CHANNELS, stored_size=24, images=bright().numpy()))
    black = [text for text in found if "black" in text]
    assert len(black) == 1
    assert "of DAPI's pixels are made black by view 2" in black[0]
    assert "lower stain_offset, unless that is meant" in black[0]


def test_no_operation_is_blamed_that_is_not_alone() -> None:
    twice = "stain_gain: {amplitude: 0.5, per_channel: false}"
    protocol = loads(small(f"[[{twice}, {twice}, {twice}, {twice}, {twice}]]"))
    (said,) = messages(check(protocol, channels=CHANNELS, stored_size=24, images=bright()))[-1:]
    assert said.endswith("no single operation does it alone")


def test_nothing_is_told_of_views_that_keep_the_range() -> None:
    protocol = loads(small("[[flip: {}, stain_gain: {amplitude: 0.05}]]"))
    assert check(protocol, channels=CHANNELS, stored_size=24, images=bright()) == []


def test_what_was_white_before_is_not_held_against_the_views() -> None:
    images = torch.ones(8, 2, 24, 24)
    protocol = loads(small("[[stain_gain: {amplitude: 0.5}]]"))
    assert check(protocol, channels=CHANNELS, stored_size=24, images=images) == []


def test_views_on_masks_are_made_with_them() -> None:
    protocol = loads(small("[[mask_background: {fill: black}]]"))
    masks = torch.zeros(64, 1, 24, 24, dtype=torch.uint8)
    masks[:, :, 8:16, 8:16] = 1
    found = check(
        protocol,
        channels=CHANNELS,
        stored_size=24,
        masks=["nucleus"],
        images=bright(),
        image_masks=masks.numpy(),
    )
    assert [text.split("%")[0] for text in messages(found) if "%" in text] == ["75.0", "75.0"]


def test_an_operation_is_told_what_its_own_channels_cannot_do() -> None:
    def told(views: str, channels: str = "[A, B, C, D]") -> list[str]:
        text = f"name: n\nchannels: {channels}\ncrop: {{size: 16}}\nviews: [[{views}]]\n"
        found = check(loads(text), channels=["A", "B", "C", "D"], stored_size=16)
        return [finding.message for finding in found]

    assert told("color_jitter: {hue: 0.1, channels: [A, B, C]}") == []
    assert "left out on 2" in told("color_jitter: {hue: 0.1, channels: [A, B]}")[0]
    assert "changes nothing on 1 channel" in told("channel_shuffle: {channels: [A]}")[0]
    assert told("misregistration: {pixels: 2, channels: [A]}") == []
    assert told("channel_dropout: {channels: [B]}") == ["channel_dropout always blanks B"]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("", "", True),
        ("channels: [DAPI], ", "", True),
        ("channels: [DAPI], ", "channels: [Actin], ", False),
    ],
)
def test_an_operation_that_stands_twice_is_told(first: str, second: str, told: bool) -> None:
    one, other = (f"stain_gain: {{{channels}amplitude: 0.1}}" for channels in (first, second))
    protocol = loads(small(f"[[{one}, flip: {{}}, {other}]]"))
    found = messages(check(protocol, channels=CHANNELS, stored_size=16))
    assert [text.startswith("stain_gain stands more than once in the list") for text in found] == (
        [True] if told else []
    )


def test_what_is_left_out_leaves_the_draws_of_the_others() -> None:
    gains = "[{stain_gain: {amplitude: 2}}, {stain_gain: {amplitude: 0.001}}]"
    protocol = loads(f"name: n\nchannels: any\ncrop: {{size: 16}}\nviews: [{gains}]\n")
    images = torch.full((64, 1, 16, 16), 0.5)
    _, told = check(
        protocol, channels=["DNA"], stored_size=16, images=images
    )  # the first: it stands twice
    assert "0.0% without stain_gain): lower stain_gain" in told.message


def test_views_that_hold_hardly_a_nucleus_or_many_cells() -> None:
    protocol = loads(small("[[flip: {}]]", size=64))
    for nucleus in (0, 8, 25, 42):
        assert check(protocol, channels=CHANNELS, stored_size=96, nucleus=nucleus) == []
    (tight,) = check(protocol, channels=CHANNELS, stored_size=96, nucleus=60)
    assert "60 px across and views (crop.size) 64 px: cells are cut off" in tight.message
    assert "Views of some 150 px" in tight.message
    (loose,) = check(protocol, channels=CHANNELS, stored_size=96, nucleus=7)
    assert "each view shows many cells. Views of some 18 px" in loose.message


def test_few_cells_and_epochs_are_few_steps() -> None:
    fits = {"channels": ["DAPI", "Tubulin", "Actin"], "stored_size": 105}
    protocol = load("bbbc021-expert")
    (brief,) = check(protocol, cells=600, **fits)
    assert brief.level == "warning"
    assert "600 cells in batches of 256 for 25 epochs make 50 steps" in brief.message
    assert "--set training.batch_size=64 --set training.epochs=56 would make 504" in brief.message
    assert check(protocol, cells=5000, **fits) == check(protocol, cells=None, **fits) == []
    changed = resolve(protocol, {"training.batch_size": 64, "training.epochs": 56})
    assert check(changed, cells=600, **fits) == []


@pytest.mark.parametrize(
    ("cells", "changes", "said"),
    [
        (40, {"epochs": 9}, "40 cells in batches of 40 for 9 epochs make 9 steps, "),
        (
            5000,
            {"epochs": 1, "samples_per_epoch": 256},
            "256 of 5,000 cells in batches of 256 for 1 epoch ",
        ),
        (5000, {"epochs": 1, "samples_per_epoch": 256}, " make 1 step, "),
        (
            648,
            {"epochs": 3, "batch_size": 64},
            "begun to learn: --set training.epochs=50 would make",
        ),
    ],
)
def test_few_steps_are_told_as_they_are_made(cells: int, changes: dict, said: str) -> None:
    protocol = resolve(
        "bbbc021-expert", {f"training.{key}": value for key, value in changes.items()}
    )
    (brief,) = check(protocol, channels=["DAPI", "Tubulin", "Actin"], stored_size=105, cells=cells)
    assert said in brief.message


def test_no_number_of_epochs_is_advised_where_no_step_can_be_made() -> None:
    """Training says what is wrong: `accumulate`."""
    protocol = resolve("bbbc021-expert", {"training.accumulate": 32})
    assert check(protocol, channels=["DAPI", "Tubulin", "Actin"], stored_size=105, cells=600) == []


def test_what_parts_groups_is_idle_where_there_are_none() -> None:
    idle = {"training.own_stages": 1, "training.divide_batch": True}
    said = "own_stages and divide_batch do nothing: there are no groups of views (groups:)"
    for name, told in (("bbbc021-expert", True), ("bbbc021-two-heads", False)):
        found = check(resolve(name, idle), channels=["DAPI", "Tubulin", "Actin"], stored_size=128)
        assert (Finding("warning", said) in found) == told
    found = check(resolve("bbbc021-expert", idle), channels=["DAPI", "Tubulin"], stored_size=128)
    assert [one.level for one in found] == ["error", "warning"]


def test_views_that_are_all_alike_are_told() -> None:
    views = "[[rotate: {degrees: 180, p: 0}, stain_gain: {amplitude: 0}]]"
    (one,) = messages(check(loads(small(views)), channels=CHANNELS, stored_size=24))
    assert one.startswith("all views of a cell are the same picture")
    for more in ("positives: same_well\n", "training: {method: supervised}\n"):
        assert not check(loads(small("[[]]") + more), channels=CHANNELS, stored_size=24)


def test_what_is_done_to_every_view_alike_is_told() -> None:
    def told(views: str) -> list[str]:
        found = check(loads(small(views)), channels=CHANNELS, stored_size=24, masks=["nucleus"])
        return messages(found)

    for always in ("mask_neighbours: {}", "grayscale: {p: 1}", "blur: {sigma: [1, 1]}"):
        said = told(f"[[{always}, flip: {{}}]]")[0]
        assert said.startswith(f"{always.split(':')[0]} (p 1) does the same to every view")
    for now_and_then in (
        "mask_neighbours: {p: 0.5}",
        "grayscale: {p: 0.2}",
        "blur: {sigma: [0, 1]}",
    ):
        assert not any("does the same" in one for one in told(f"[[{now_and_then}, flip: {{}}]]"))
    assert not told("[[mask_neighbours: {}, flip: {}], [flip: {}, shift: {pixels: 1}]]")


def test_two_views_of_one_operation_each_may_be_one_list_that_was_meant() -> None:
    def told(views: str) -> list[str]:
        return messages(check(loads(small(views)), channels=CHANNELS, stored_size=40))

    (said,) = told("[[rotate: {degrees: 180}], [flip: {}]]")
    assert "differs by rotate alone and the second by flip alone" in said
    assert "rotate begins with '- - ', flip with '  - '" in said
    for meant in (
        "[[flip: {}, rotate: {degrees: 180}]]",
        "[[flip: {p: 0.2}], [flip: {p: 0.7}]]",
        "[[flip: {}], [rotate: {degrees: 180}, flip: {}]]",
        "[[flip: {}], []]",
    ):
        assert told(meant) == []

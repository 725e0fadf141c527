"""Brightness, size, shape and slant of pictures whose truth is known."""

import numpy as np
import pytest

from cellssl.cells import describe_property, measure_appearance
from cellssl.errors import PlateError


def stroke(degrees: float, width: float, size: int = 49) -> np.ndarray:
    """An upright stroke that leans to the right by so many degrees, (1, size, size)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    across = x + y * np.tan(np.radians(degrees))  # y is counted downwards
    inside = (np.abs(across) < width / 2) & (np.abs(y) < size / 3)
    return inside[None].astype(np.float32)


def disc(radius: float, at: tuple[float, float] = (0, 0), size: int = 48) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (np.hypot(y - at[0], x - at[1]) < radius).astype(np.float32)


def test_a_stroke_shows_its_slant_and_thickness() -> None:
    drawn = [(0, 3), (20, 3), (-20, 3), (0, 7), (10, 7)]
    table = measure_appearance(np.stack([stroke(*one) for one in drawn]), ["Grey"])
    assert list(table) == ["brightness", "unevenness", "area", "elongation", "slant", "thickness"]
    np.testing.assert_allclose(table["slant"], [0, 20, -20, 0, 10], atol=1.5)
    np.testing.assert_allclose(table["thickness"], [3, 3, 3, 7, 7], atol=0.85)
    assert table["thickness"][:3].max() < table["thickness"][3:].min()
    assert table["elongation"][0] > table["elongation"][3] > 2


def test_a_blurred_stroke_leans_as_a_sharp_one_does() -> None:
    images = np.stack([stroke(15, 4), 0.4 * stroke(15, 4) + 0.1])
    slant = measure_appearance(images, ["Grey"])["slant"]
    assert slant[0] == pytest.approx(slant[1], abs=1e-6)


def test_the_nucleus_is_the_part_in_the_middle_of_the_dna_channel() -> None:
    nucleus = disc(8, (2, -1))
    neighbour = 2 * disc(9, (-18, 17))
    images = np.stack([np.stack([nucleus + neighbour, disc(20)])])
    table = measure_appearance(images, ["DAPI", "Actin"])
    assert table["nucleus area"][0] == nucleus.sum()
    assert table["nucleus elongation"][0] == pytest.approx(1, abs=0.05)
    assert table["Actin brightness"][0] == pytest.approx(disc(20).mean())
    own = nucleus + neighbour
    assert table["DAPI unevenness"][0] == pytest.approx(own.std() / own.mean(), rel=1e-5)
    assert not {"slant", "thickness", "area"} & set(table)  # nuclei are no drawings


def test_masks_are_taken_where_there_are_some() -> None:
    images = np.random.default_rng(0).random((2, 2, 48, 48))
    whole = np.stack([disc(15), 2 * disc(15)]).astype(np.uint8)  # the second is another's
    masks = {"nucleus": np.stack([disc(6), disc(9)]).astype(np.uint8), "cell": whole}
    table = measure_appearance(images, ["DNA", "GFP"], masks=masks)
    assert table["nucleus area"].tolist() == [disc(6).sum(), disc(9).sum()]
    assert table["cell area"][0] == disc(15).sum()
    assert np.isnan(table["cell area"][1])


def test_empty_pictures_have_no_shape_but_a_brightness() -> None:
    blank = np.full((2, 1, 16, 16), 0.25)
    for channel in ("Grey", "DNA"):
        table = measure_appearance(blank, [channel])
        assert table["brightness"].tolist() == [0.25, 0.25]
        assert table.drop(columns=["brightness", "unevenness"]).isna().all(axis=None)


def test_a_speck_has_no_shape() -> None:
    speck = np.zeros((1, 1, 16, 16))
    speck[0, 0, 5, 5:8] = 1
    assert np.isnan(measure_appearance(speck, ["Grey"])["area"][0])


def test_words_say_which_way() -> None:
    assert describe_property("Actin brightness", high=False) == "dim Actin"
    assert describe_property("area", high=True) == "large"
    assert describe_property("thickness", high=False) == "thin"


def test_pictures_and_channels_must_fit() -> None:
    with pytest.raises(PlateError, match=r"\(2, 3, 8, 8\) for the channels DNA"):
        measure_appearance(np.zeros((2, 3, 8, 8)), ["DNA"])

import numpy as np
import pytest
from scipy import ndimage

from cellssl.cells import Segmenter, ThresholdSegmenter
from cellssl.cells.segmentation.labels import find_nucleus_channel
from cellssl.errors import PlateError


def field():
    yy, xx = np.mgrid[:120, :120]
    planes = np.random.default_rng(0).normal(100, 3, (2, 120, 120))
    for y, x in ((40, 40), (40, 75), (90, 60)):
        distance = np.hypot(yy - y, xx - x)
        planes[0] += 400 * (distance < 17)
        planes[1] += 900 * (distance < 8)
    return ndimage.gaussian_filter(planes, (0, 1, 1)).astype(np.uint16)


def test_the_dna_channel_is_found_by_name():
    assert find_nucleus_channel(["GFP", "Hoechst 33342"], None) == 1
    assert find_nucleus_channel(["GFP", "DNA"], "GFP") == 0
    assert find_nucleus_channel(["TL-Brightfield - DAPI", "UV - DAPI"]) == 1
    with pytest.raises(PlateError, match="no channel 'DAPI' to segment; got GFP, DNA"):
        find_nucleus_channel(["GFP", "DNA"], "DAPI")
    with pytest.raises(PlateError, match=r"--nucleus.*Where none does.*--labels"):
        ThresholdSegmenter().check(["1", "2"])


def test_nuclei_come_from_their_channel():
    labels = ThresholdSegmenter().segment(field(), ["Actin", "DNA"])
    assert labels.nuclei.max() == 3
    assert labels.cells is None
    np.testing.assert_array_equal(
        labels.nuclei,
        ThresholdSegmenter(nucleus_channel="x").segment(field(), ["Actin", "x"]).nuclei,
    )


def test_cells_hold_their_nuclei():
    labels = ThresholdSegmenter(cells=True).segment(field(), ["Actin", "DNA"])
    inside = labels.nuclei > 0
    np.testing.assert_array_equal(labels.cells[inside], labels.nuclei[inside])
    areas = np.bincount(labels.cells.ravel())[1:]
    assert areas == pytest.approx(np.full(3, np.pi * 17**2), rel=0.25)
    alone = ThresholdSegmenter(cells=True).segment(field()[1:], ["DNA"])
    assert alone.cells.max() == 3
    dark = np.stack([600 - field()[0], field()[1]])
    beside = ThresholdSegmenter(cells=True).segment(dark, ["Brightfield", "DNA"])
    np.testing.assert_array_equal(beside.cells, alone.cells)
    nothing = np.zeros((2, 50, 50), np.uint16)
    assert ThresholdSegmenter(cells=True).segment(nothing, ["Actin", "DNA"]).cells.max() == 0


def test_it_is_a_segmenter():
    segmenter = ThresholdSegmenter(diameter=20)
    assert isinstance(segmenter, Segmenter)
    assert segmenter.settings()["diameter"] == 20
    with pytest.raises(ValueError, match="diameter: got -1"):
        ThresholdSegmenter(diameter=-1)

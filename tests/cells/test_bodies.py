import numpy as np
import pytest

from cellssl.cells.segmentation.bodies import body_channels, body_image, number_cells


def test_each_cell_has_its_nucleus_number():
    nuclei = np.array([[0, 7, 0, 0, 3, 0, 0, 0]])
    cells = np.array([[1, 1, 1, 2, 2, 2, 0, 5]])
    assert number_cells(nuclei, cells).tolist() == [[7, 7, 7, 3, 3, 3, 0, 0]]


def test_of_two_nuclei_in_a_cell_the_larger_has_it():
    nuclei = np.array([[1, 1, 0, 2, 0]])
    assert number_cells(nuclei, np.full((1, 5), 4)).tolist() == [[1] * 5]


def test_a_nucleus_in_two_cells_has_one():
    nuclei = np.array([[0, 1, 1, 1, 0]])
    cells = np.array([[8, 8, 8, 9, 9]])
    assert number_cells(nuclei, cells).tolist() == [[1, 1, 1, 0, 0]]


def test_without_nuclei_or_cells():
    nothing, one = np.zeros((2, 3), int), np.ones((2, 3), int)
    assert number_cells(nothing, one).max() == 0
    assert number_cells(one, nothing).max() == 0


@pytest.mark.parametrize(
    "name", ["BF", "Brightfield_H", "HighZBF", "TL-Bright Field", "phase contrast", "DIC", "Phase"]
)
def test_cells_do_not_shine_in_transmitted_light(name):
    assert body_channels(["Actin", "DNA", name], 1) == [0]


@pytest.mark.parametrize(
    "name", ["Digital Phase Contrast", "ER", "S phase", "TLR4", "4", "mCherry"]
)
def test_cells_shine_in_other_channels(name):
    assert body_channels([name, "DNA"], 1) == [0]


def test_channels_count_alike():
    planes = np.stack([np.full((4, 4), 10), np.full((4, 4), 1000)]).astype(np.uint16)
    planes[:, :2] = 0
    body = body_image(planes)
    assert body.dtype == np.float32
    np.testing.assert_allclose(body[2:], 1, rtol=1e-3)
    np.testing.assert_allclose(body[:2], 0)

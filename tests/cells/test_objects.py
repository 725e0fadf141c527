import numpy as np

from cellssl.cells import Labels
from cellssl.cells.objects import cut_cells


def field_with(*places, side=40):
    """Nuclei of 3 × 3 pixels around some places, and cells of 5 × 5."""
    nuclei, cells = np.zeros((2, side, side), np.int32)
    for number, (y, x) in enumerate(places, start=1):
        cells[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = number
        nuclei[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = number
    image = np.arange(2 * side * side, dtype=np.uint16).reshape(2, side, side)
    return image, Labels(nuclei, cells)


def test_windows_are_where_the_nuclei_are():
    image, labels = field_with((10, 12), (25, 20))
    cut = cut_cells(image, labels, size=8)
    np.testing.assert_array_equal(cut.images[0], image[:, 6:14, 8:16])
    np.testing.assert_array_equal(cut.images[1], image[:, 21:29, 16:24])
    np.testing.assert_array_equal(cut.centers, [[10, 12], [25, 20]])
    assert cut.images.dtype == np.uint16
    assert cut.areas.tolist() == [[9, 25], [9, 25]]
    assert cut.labels.tolist() == [1, 2]


def test_a_window_that_leaves_the_image_is_not_cut_but_counted():
    image, labels = field_with((4, 4), (3, 20), (36, 36), (37, 20))
    cut = cut_cells(image, labels, size=8)
    assert cut.found == 4
    assert cut.labels.tolist() == [1, 3]  # rows 0 … 7 and 32 … 39 just fit


def test_masks_tell_this_object_from_others():
    image, labels = field_with((20, 20), (20, 24))
    cut = cut_cells(image, labels, size=12)
    nucleus, cell = cut.masks[0]
    window = np.s_[14:26, 14:26]
    np.testing.assert_array_equal(nucleus == 1, labels.nuclei[window] == 1)
    np.testing.assert_array_equal(nucleus == 2, labels.nuclei[window] == 2)
    np.testing.assert_array_equal(cell == 1, labels.cells[window] == 1)
    assert cut_cells(image, Labels(labels.nuclei), size=12).masks.shape == (2, 1, 12, 12)
    assert cut_cells(image, labels, size=12, masks=False).masks.shape == (2, 0, 12, 12)


def test_an_empty_field():
    image, labels = field_with()
    cut = cut_cells(image, labels, size=8)
    assert cut.found == 0
    assert cut.images.shape == (0, 2, 8, 8)
    assert cut.areas.shape == (0, 2)


def test_numbers_may_have_gaps():
    image, labels = field_with((20, 20), (30, 30))
    gappy = Labels(labels.nuclei * 7, labels.cells * 7)
    assert cut_cells(image, gappy, size=8).labels.tolist() == [7, 14]

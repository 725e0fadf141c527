import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from cellssl.cells.segmentation.basins import find_basins


def test_each_pixel_climbs_to_its_summit():
    height = np.array([[1, 2, 3, 2, 1, 2, 9, 2]], np.float32)
    basins = find_basins(height, np.ones_like(height, bool))
    assert basins.tolist() == [[1, 1, 1, 1, 2, 2, 2, 2]]
    cut = find_basins(height, height < 9)
    assert cut.tolist() == [[1, 1, 1, 1, 2, 2, 0, 3]]


def test_a_plateau_is_one_basin():
    height = np.zeros((5, 7), np.float32)
    height[1:4, 1:6] = 1
    assert (find_basins(height, height > 0) == (height > 0)).all()
    assert find_basins(height, np.zeros((5, 7), bool)).max() == 0


def test_it_is_the_watershed_of_all_summits():
    """Up to pixels on the watersheds themselves, whose side is a matter of taste."""
    noise = np.random.default_rng(0).normal(size=(80, 90))
    height = ndimage.gaussian_filter(noise, 3).astype(np.float32)
    mask = height > np.quantile(height, 0.3)
    summits = (ndimage.maximum_filter(height, 3) == height) & mask
    expected = watershed(-height, ndimage.label(summits, np.ones((3, 3)))[0], mask=mask)
    basins = find_basins(height, mask)
    assert basins.max() == expected.max()
    assert ((basins > 0) == mask).all()
    names = np.zeros(basins.max() + 1, int)
    names[basins[summits]] = expected[summits]
    assert (names[basins] == expected)[mask].mean() > 0.95

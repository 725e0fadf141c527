import numpy as np
import pytest
from skimage.filters import threshold_li

from cellssl.cells.segmentation.levels import li_threshold


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_it_is_lis_threshold(dtype):
    random = np.random.default_rng(0)
    image = np.concatenate([random.normal(200, 20, 3000), random.normal(900, 90, 400)])
    image = image.astype(dtype)
    cut, background = li_threshold(image)
    expected = threshold_li(image.astype(float))
    # Thresholds between the same two values are the same.
    assert (image > cut).sum() == pytest.approx((image > expected).sum(), abs=2)
    assert background == pytest.approx(np.median(image[image <= cut]), abs=1)


def test_a_constant_image_has_no_threshold():
    assert li_threshold(np.full((4, 4), 7, np.float32)) == (7, 7)

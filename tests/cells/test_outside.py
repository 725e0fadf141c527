import numpy as np
import pytest
from scipy import ndimage

from cellssl.cells import Labels, find_nuclei
from cellssl.cells.objects import cut_cells
from cellssl.cells.segmentation.outside import without_outside

SIDE = 300
PLACES = [(y, x) for y in range(40, 280, 40) for x in range(40, 280, 40)]


def field(level: float = 300) -> np.ndarray:
    """Nuclei of 18 px on a background of some grey values: (SIDE, SIDE)."""
    yy, xx = np.mgrid[:SIDE, :SIDE]
    light = np.zeros((SIDE, SIDE))
    for y, x in PLACES:
        light[np.hypot(yy - y, xx - x) <= 9] = 600
    return ndimage.gaussian_filter(light, 1) + np.random.default_rng(0).normal(
        level, 8, light.shape
    )


def black(where: str) -> np.ndarray:
    yy, xx = np.mgrid[:SIDE, :SIDE]
    return {
        "brim": (yy < 25) | (xx > 265),
        "corners": np.hypot(yy - 150, xx - 150) > 148,
        "gap": (abs(yy - 140) < 8) & (xx > 0),
    }[where]


@pytest.mark.parametrize("where", ["brim", "corners", "gap"])
def test_nuclei_beside_what_is_outside_are_found(where):
    outside = black(where)
    near = ndimage.distance_transform_edt(~outside) > 12
    seen = [place for place in PLACES if near[place]]
    labels = find_nuclei(np.where(outside, 0, field()).astype(np.uint16))
    areas = np.bincount(labels.ravel())
    numbers = labels[tuple(np.transpose(seen))]
    assert len(set(numbers) - {0}) == len(seen)
    assert areas[1:].max() < 1.5 * np.pi * 81  # the background is no body


def test_windows_that_reach_outside_are_dropped_as_at_the_image_s_border():
    image = np.where(black("brim"), 0, field()).astype(np.uint16)[None]
    cut = cut_cells(image, Labels(find_nuclei(image[0])), size=40)
    assert cut.found > len(cut.images) > 0
    assert cut.images.min() > 0
    assert cut.background[0] > 250


def test_an_empty_well_with_black_corners_is_empty():
    noise = np.random.default_rng(0).normal(300, 8, (SIDE, SIDE))
    assert find_nuclei(np.where(black("corners"), 0, noise)).max() == 0


@pytest.mark.parametrize(
    "image",
    [
        field(),
        np.maximum(field(0), 0),  # the background is subtracted, and cut off at 0
        np.where(field() > 500, field(), 0),  # so that nuclei alone are left
        (field(700) - 280 * np.linspace(-1, 1, SIDE) ** 2) // 256,  # dim at two sides, made 8 bits
    ],
)
def test_a_background_is_not_outside(image):
    image = image.round().astype(np.float32)
    assert without_outside(image) is image

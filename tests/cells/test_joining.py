import numpy as np
import pytest

from cellssl.cells.segmentation.lobes import _ragged, join_lobes


def halves(shape):
    """Cut a mask into a left and a right basin."""
    left = np.arange(shape.shape[1]) < shape.shape[1] // 2
    return np.where(shape, np.where(left, 1, 2), 0).astype(np.int32)


def ellipse(y, x, long, short, side=60):
    yy, xx = np.mgrid[:side, :side]
    return ((yy - y) / short) ** 2 + ((xx - x) / long) ** 2 <= 1


def sums(mask):
    y, x = np.nonzero(mask)
    return [float(value.sum()) for value in (y**0, y, x, y * y, x * x, y * x, 0 * y)]


def join(mask, light=None, depth=None, *, largest=0.0):
    flat = np.zeros(mask.shape, np.float32)
    light, depth = (
        (flat if given is None else given).astype(np.float32) for given in (light, depth)
    )
    return join_lobes(halves(mask), depth, light, largest=largest).tolist()


def test_the_halves_of_an_ellipse_are_one_nucleus():
    assert join(ellipse(30, 30, 15, 10)) == [0, 1, 1]


def test_two_discs_are_two_nuclei():
    mask = ellipse(30, 18, 12, 12) | ellipse(30, 41, 12, 12)
    depth = np.where(np.abs(np.arange(60) - 29.5) < 3, 0.0, 1.0) * mask
    assert len(set(join(mask, depth=depth))) == 3


def test_a_step_in_brightness_parts():
    mask = ellipse(30, 30, 15, 10)
    step = np.where(np.arange(60) < 30, 0.0, 1.6) * mask
    assert len(set(join(mask, light=step))) == 3
    assert join(mask, light=0.05 * step) == [0, 1, 1]


def test_an_ellipse_no_larger_than_a_nucleus_is_one_however_its_brightness_varies():
    mask = ellipse(30, 30, 15, 10)
    step = np.where(np.arange(60) < 30, 0.0, 1.6) * mask
    assert len(set(join(mask, light=step, largest=mask.sum()))) == 2
    assert len(set(join(mask, light=step, largest=mask.sum() - 1))) == 3
    pair = ellipse(30, 18, 12, 12) | ellipse(30, 41, 12, 12)
    uneven = np.where(np.arange(60) < 30, 0.0, 1.6) * pair
    assert len(set(join(pair, light=uneven, largest=pair.sum()))) == 3


def test_nothing_is_joined_of_nothing():
    assert join(np.zeros((9, 9), bool)) == [0]


def test_an_ellipse_is_not_ragged():
    full, crescent = ellipse(30, 30, 20, 9), ellipse(30, 30, 20, 20) & ~ellipse(30, 40, 20, 12)
    ragged = _ragged(np.array([sums(full), sums(crescent)]))
    assert ragged[0] == pytest.approx(0, abs=0.01)
    assert ragged[1] > 0.3

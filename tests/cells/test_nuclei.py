import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from cellssl.cells import find_nuclei
from cellssl.cells.nuclei import estimate_diameter


def discs(places, *, radius=9, side=128, level=1000.0, noise=10.0):
    yy, xx = np.mgrid[:side, :side]
    image = np.random.default_rng(0).normal(100, noise, (side, side))
    covered = [(yy - y) ** 2 + (xx - x) ** 2 <= radius**2 for y, x in places]
    image[np.any(covered, axis=0)] += level
    return ndimage.gaussian_filter(image, 1)


def test_each_disc_is_one_nucleus_with_its_own_edge():
    places = [(20, 20), (20, 90), (64, 64), (100, 30), (100, 100)]
    labels = find_nuclei(discs(places))
    assert labels.dtype == np.int32
    assert sorted(np.unique(labels)) == [0, 1, 2, 3, 4, 5]
    areas = np.bincount(labels.ravel())[1:]
    assert areas == pytest.approx(np.full(5, np.pi * 81), rel=0.15)


@pytest.mark.parametrize("angle", [0, 0.4, 1.2])
def test_touching_discs_are_cut_apart(angle):
    step = 8 * np.array([np.sin(angle), np.cos(angle)])
    middle = np.array([64, 64])
    labels = find_nuclei(discs([middle - step, middle + step, (20, 20), (110, 30)]))
    assert labels.max() == 4


def test_nothing_is_found_in_nothing():
    flat = np.full((64, 64), 7, np.uint16)
    assert find_nuclei(flat).max() == 0
    noise = np.random.default_rng(0).normal(100, 5, (128, 128))
    assert find_nuclei(noise).max() == 0
    assert find_nuclei(noise.astype(np.uint8)).max() == 0


@pytest.mark.parametrize(("gain", "dtype"), [(0.2, np.uint8), (40, np.uint16), (1e-4, np.float32)])
def test_exposure_and_type_do_not_matter(gain, dtype):
    image = discs([(30, 30), (30, 80), (90, 64)])
    expected = find_nuclei(image)
    found = find_nuclei((image * gain).astype(dtype))
    assert found.max() == 3
    assert ((found > 0) == (expected > 0)).mean() > 0.99


@pytest.mark.parametrize("radius", [5, 9, 20])
def test_the_diameter_is_estimated(radius):
    yy, xx = np.mgrid[:160, :160]
    mask = ((yy - 50) ** 2 + (xx - 50) ** 2 <= radius**2) | (
        (yy - 50) ** 2 + (xx - 50 - 1.8 * radius) ** 2 <= radius**2
    )
    assert estimate_diameter(mask) == pytest.approx(2 * radius, rel=0.2)
    assert estimate_diameter(np.zeros((9, 9), bool)) == 0


def match(truth, found):
    """Count true positives, false positives, false negatives at an overlap (IoU) above one half."""
    width = found.max() + 1
    both = np.bincount(
        truth.ravel().astype(int) * width + found.ravel(), minlength=(truth.max() + 1) * width
    )
    both = both.reshape(-1, width)
    a, b = both.sum(axis=1), both.sum(axis=0)
    inner = both[1:, 1:]
    hits = int((inner / (a[1:, None] + b[None, 1:] - inner).clip(1) > 0.5).sum())
    return hits, int((b[1:] > 0).sum()) - hits, int((a[1:] > 0).sum()) - hits


def test_real_nuclei(data):
    """Pooled F1 at IoU 0.5 on DSB2018: naive Otsu and watershed give 0.74 on the 60 images."""
    folder = data / "dsb2018"
    counts = np.zeros(3)
    for name in pd.read_csv(folder / "index.csv")["image"]:
        image, truth = (
            tifffile.imread(next((folder / kind).glob(f"{name}*"))) for kind in ("images", "labels")
        )
        counts += match(truth, find_nuclei(image))
    hits, extra, missed = counts
    assert 2 * hits / (2 * hits + extra + missed) > 0.81

import time

import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from cellssl.cells import Matches, find_nuclei, match_objects
from cellssl.cells.segmentation.carving import _filled, estimate_diameter
from cellssl.cells.segmentation.nuclei import _without_holes


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


def test_an_image_without_noise_has_nuclei_too():
    image = np.zeros((64, 64), np.uint16)
    image[10:25, 10:25] = image[35:50, 30:45] = 100
    assert find_nuclei(image).max() == 2


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


@pytest.mark.parametrize("radius", [1.5, 2, 3])
def test_tiny_nuclei_are_found(radius):
    places = [(y, x) for y in range(12, 120, 16) for x in range(12, 120, 16)]
    assert find_nuclei(discs(places, radius=radius)).max() == len(places)


def test_a_dim_nucleus_beside_a_bright_one_is_its_own():
    yy, xx = np.mgrid[:128, :128]
    image = np.random.default_rng(0).normal(100, 5, (128, 128))
    for y, x, level in ((64, 54, 900), (64, 73, 350), (20, 20, 600), (100, 100, 600)):
        image[np.hypot(yy - y, xx - x) <= 10] += level
    labels = find_nuclei(ndimage.gaussian_filter(image, 1.5))
    assert labels.max() == 4
    assert len({labels[64, 50], labels[64, 78]} - {0}) == 2


@pytest.mark.parametrize("zoom", [1, 3, 6])
def test_magnification_does_not_matter(zoom):
    places = [(20, 20), (20, 90), (64, 56), (64, 72), (100, 30), (100, 100)]
    large = discs([(zoom * y, zoom * x) for y, x in places], radius=9 * zoom, side=128 * zoom)
    labels = find_nuclei(large)
    assert labels.max() == len(places)
    assert labels.shape == large.shape
    assert labels.flags["C_CONTIGUOUS"]
    areas = np.bincount(labels.ravel())[1:] / zoom**2
    assert areas == pytest.approx(np.full(len(places), np.pi * 81), rel=0.2)


def test_uneven_light_and_hot_pixels_do_not_matter():
    places = [(20, 20), (20, 90), (64, 64), (100, 30), (100, 100)]
    image = discs(places) * np.linspace(0.5, 1.5, 128)
    random = np.random.default_rng(1)
    image[tuple(random.integers(0, 128, (2, 6)))] = 65535
    assert find_nuclei(image).max() == len(places)


def test_nuclei_beside_debris_that_outshines_them_are_found():
    places = [(y, x) for y in range(20, 400, 40) for x in range(20, 400, 40)]
    image = discs(places, side=400, level=800)
    yy, xx = np.mgrid[:400, :400]
    debris = np.hypot((yy - 120) / 2, xx - 240) < 20
    labels = find_nuclei(np.minimum(image + 30000.0 * debris, 65535))
    alone = [place for place in places if np.hypot((place[0] - 120) / 2, place[1] - 240) > 40]
    numbers = labels[tuple(np.transpose(alone))]
    assert len(set(numbers) - {0}) == len(alone)
    areas = np.bincount(labels.ravel())
    assert areas[numbers] == pytest.approx(np.full(len(alone), np.pi * 81), rel=0.2)
    assert areas[labels[120, 240]] > 8 * np.pi * 81  # there too, and too large for a nucleus
    haze = np.random.default_rng(0).exponential(20, (400, 400)) + 30000 * debris
    assert find_nuclei(haze).max() == 1  # nothing else is brought out of it


@pytest.mark.parametrize("cytoplasm", [0, 0.1])
def test_nuclei_many_times_dimmer_than_others_of_their_field_are_found(cytoplasm):
    """G1 cells beside polyploid or dead ones; no cytoplasm around the bright ones, though it is as bright."""
    places = np.array([(y, x) for y in range(25, 400, 50) for x in range(25, 400, 50)])
    bright = np.arange(len(places)) % 3 == 0
    light = discs(places[bright], side=400, level=20000, noise=20)
    light += cytoplasm * discs(places[bright], radius=18, side=400, level=20000, noise=0)
    dim = np.zeros(len(places), bool) if cytoplasm else ~bright
    labels = find_nuclei(light + discs(places[dim], side=400, level=1000, noise=0))
    assert labels.max() == (bright | dim).sum()
    assert len(set(labels[tuple(places[bright | dim].T)]) - {0}) == labels.max()
    assert np.bincount(labels.ravel())[1:] == pytest.approx(np.pi * 81, rel=0.3)


def test_small_nuclei_of_a_large_field_are_not_taken_for_debris():
    """At 10x a nucleus is no larger than the blocks of pixels that a field's light is looked at by."""
    random = np.random.default_rng(0)
    places = np.argwhere(np.ones((29, 29))) * 72 + 70 + random.integers(-20, 20, (841, 2))
    field = np.full((2160, 2160), 200.0)
    for (y, x), light in zip(places, random.uniform(280, 560, len(places)), strict=True):
        cv2.circle(field, (int(x), int(y)), 5, 200 + light, -1)
    debris = [(500, 500), (900, 1600), (1700, 800)]
    for place in debris:
        cv2.circle(field, place, 40, 12_000, -1)
    labels = find_nuclei(random.normal(cv2.GaussianBlur(field, (0, 0), 1), 20))
    far = np.all([np.hypot(*(places - place[::-1]).T) > 80 for place in debris], axis=0)
    numbers = labels[tuple(places[far].T)]
    areas = np.bincount(labels.ravel())[numbers]
    assert (numbers > 0).mean() > 0.98
    assert areas.max() < 2 * np.pi * 25  # the brim of debris would make it four times as large


def test_nuclei_are_found_in_noise():
    places = [(20, 20), (20, 90), (64, 64), (100, 30), (100, 100)]
    labels = find_nuclei(np.random.default_rng(0).poisson(discs(places, noise=0) / 40))
    assert labels.max() == len(places)


def test_saturated_nuclei_are_found():
    image = np.minimum(discs([(30, 30), (30, 80), (90, 64)]), 400)
    assert find_nuclei(image).max() == 3


def test_the_nuclei_of_tissue_are_found():
    """A body across the whole field, made of small nuclei that stand out little from it."""
    yy, xx = np.mgrid[:300, :600]
    places = np.array([(y, x) for y in range(100, 210, 12) for x in range(10, 590, 12)])
    spots = np.zeros((300, 600))
    for y, x in places:
        spots[np.hypot(yy - y, xx - x) < 4.5] = 1
    band = 1000 * np.exp(-((yy - 150) ** 2) / (2 * 45**2))
    noise = np.random.default_rng(0).normal(100, 5, (300, 600))
    labels = find_nuclei(ndimage.gaussian_filter(band * (1 + 0.5 * spots), 1) + noise)
    assert len(set(labels[tuple(places.T)]) - {0}) > 0.95 * len(places)


def speckled(diameter: float, spots: int, grain: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw sixteen round nuclei with bright spots, as mouse nuclei have, or coarse chromatin; and label them."""
    random, step = np.random.default_rng(0), int(1.6 * diameter)
    yy, xx = np.mgrid[: 4 * step, : 4 * step]
    labels, light = np.zeros(yy.shape, np.int32), np.ones(yy.shape)
    for number in range(16):
        y, x = (step * (place + 0.5) for place in divmod(number, 4))
        labels[np.hypot(yy - y, xx - x) < diameter / 2] = number + 1
        for _ in range(spots):
            radius, angle = 0.42 * diameter * np.sqrt(random.random()), 2 * np.pi * random.random()
            far = np.hypot(yy - y - radius * np.sin(angle), xx - x - radius * np.cos(angle))
            light += 3 * np.exp(-((far / (0.06 * diameter)) ** 2) / 2)
    texture = ndimage.gaussian_filter(random.normal(size=yy.shape), 0.06 * diameter)
    light *= np.exp(grain * texture / texture.std())
    image = ndimage.gaussian_filter(light * (labels > 0), 0.03 * diameter) * 1000 + 200
    return random.poisson(image).astype(np.uint16), labels


@pytest.mark.parametrize(("diameter", "spots", "grain"), [(20, 10, 0), (60, 0, 0.7)])
def test_bright_spots_and_coarse_chromatin_do_not_part_a_nucleus(diameter, spots, grain):
    image, labels = speckled(diameter, spots, grain)
    assert match_objects(labels, find_nuclei(image)) == Matches(hits=16)


@pytest.mark.parametrize("zoom", [1, 4])
def test_dark_nucleoli_leave_no_holes(zoom):
    """Darker than the share of a nucleus' own brightness where it ends, which field and edge do not hide."""
    places = zoom * np.array([(24, 24), (24, 90), (64, 60), (100, 24), (100, 100)])
    image = discs(places, radius=12 * zoom, side=128 * zoom)
    nucleoli = discs(places + zoom * 2, radius=4 * zoom, side=128 * zoom, level=1, noise=0) > 100.5
    labels = find_nuclei(np.where(nucleoli, 150, image))
    assert labels.max() == 5
    assert np.array_equal(ndimage.binary_fill_holes(labels > 0), labels > 0)
    assert np.bincount(labels.ravel())[1:] == pytest.approx(np.pi * (12 * zoom) ** 2, rel=0.15)


def test_what_nuclei_enclose_together_and_what_lies_at_the_edge_stays_background():
    labels = np.zeros((40, 60), np.int32)
    labels[5:20, 5:20] = 1  # one around a hole
    labels[5:20, 30:38], labels[5:20, 38:45] = 2, 3  # two around one
    labels[32:, 5:20] = 4  # one around a bay of the field's edge
    place = np.flatnonzero(labels)
    labels[10:13, 10:13] = labels[10:13, 36:40] = labels[36:, 10:13] = 0
    filled = _without_holes(labels, place)
    expected = labels.copy()
    expected[10:13, 10:13] = 1
    assert np.array_equal(filled, expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (2, 200)])
def test_fields_of_any_size(shape):
    labels = find_nuclei(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8))
    assert labels.shape == shape


def test_an_empty_field_costs_no_time():
    """Dead wells hold noise, which must not be searched for nuclei grain by grain."""
    noise = np.random.default_rng(0).normal(100, 5, (1024, 1024)).astype(np.float32)
    start = time.process_time()
    assert find_nuclei(noise).max() == 0
    assert time.process_time() - start < 2


def test_real_nuclei(data):
    """Pooled F1 at IoU 0.5 on DSB2018, one setting for all images.

    Naive Otsu and watershed give 0.74 on these 60, Cellpose's `cyto` network 0.843.
    """
    folder = data / "dsb2018"
    pooled = Matches()
    for name in pd.read_csv(folder / "index.csv")["image"]:
        image, truth = (
            tifffile.imread(next((folder / kind).glob(f"{name}*"))) for kind in ("images", "labels")
        )
        pooled += match_objects(truth, find_nuclei(image))
    assert pooled.f1 > 0.86


@pytest.mark.parametrize("side", [64, 100, 500])
@pytest.mark.parametrize("value", [0, 50, 255])
def test_a_blank_field_has_no_nuclei(side, value):
    assert find_nuclei(np.full((side, side), value, np.uint8)).max() == 0


def test_a_hole_that_is_the_first_region_of_a_field_is_filled() -> None:
    mask = np.zeros((60, 60), bool)
    mask[:30] = True  # a nucleus that reaches over the field's first row
    mask[5:7, 5:7] = False
    mask[40:50, 40:50] = True
    mask[44:46, 44:46] = False
    holes = mask.copy()
    filled, gaps = _filled(mask, 20, 200)
    assert not len(gaps)
    assert filled[5:7, 5:7].all()
    assert filled[44:46, 44:46].all()
    holes[5:7, 5:7] = holes[44:46, 44:46] = True
    assert np.array_equal(filled, holes)  # and the background stays
    filled, gaps = _filled(mask, 3, 200)
    assert np.array_equal(filled, mask)
    assert np.array_equal(gaps, np.flatnonzero(holes & ~mask))
    assert not len(_filled(mask, 3, 4)[1])
    assert _filled(np.ones((9, 9), bool), 20, 200)[0].all()

import numpy as np
import pytest

from cellssl.crops import percentiles
from cellssl.crops.percentiles import QUANTILES, measure, pixel_percentiles


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_counting_equals_sorting(dtype, monkeypatch):
    monkeypatch.setattr(percentiles, "_COUNTED", 100)
    random = np.random.default_rng(0)
    images = random.integers(0, np.iinfo(dtype).max, (50, 2, 6, 6), endpoint=True).astype(dtype)
    blocks = iter(np.array_split(images, 4))
    counted = pixel_percentiles(blocks, QUANTILES)
    sorted_ = pixel_percentiles(iter([images.astype(np.float64)]), QUANTILES)
    np.testing.assert_array_equal(counted, sorted_)


def test_stored_percentiles_are_those_of_the_pixels(crop_file, batch):
    first, second = batch(30), batch(40, plate="P22")
    table = crop_file(first, second).percentiles
    assert table.plates == ("P1", "P22")
    assert table.cells.tolist() == [30, 40]
    pixels = second.images[:, 1].ravel()
    expected = np.percentile(pixels, 99, method="inverted_cdf")
    assert table.of_plate("P22", 99)[1] == expected
    everything = np.concatenate([first.images, second.images])[:, 0].ravel()
    assert table.of_all(50)[0] == np.percentile(everything, 50, method="inverted_cdf")


def test_a_plate_is_sampled_alike_whatever_its_neighbours(monkeypatch):
    monkeypatch.setattr(percentiles, "_PLATE_SAMPLE", 10)
    images = np.random.default_rng(0).integers(0, 999, (80, 1, 3, 3)).astype(np.uint16)
    plates = np.repeat(["A", "B"], 40)
    both = measure(lambda rows: images[rows], plates, channels=1)
    alone = measure(lambda rows: images[40:][rows], plates[40:], channels=1)
    np.testing.assert_array_equal(both.of_plate("B", 50), alone.of_plate("B", 50))

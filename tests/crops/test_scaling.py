import logging

import numpy as np
import pytest
import torch

from cellssl.crops import FittedScaling, Scaling, fit_scaling, scale
from cellssl.errors import CropError


@pytest.fixture
def crops(crop_file, batch):
    return crop_file(batch(30), batch(40, plate="P22"))


@pytest.mark.parametrize("transform", ["linear", "sqrt", "log"])
def test_numpy_and_torch_agree(crops, transform):
    fitted = fit_scaling(crops, Scaling("global", transform=transform))
    low, high = fitted.bounds(crops)
    images = crops.read()
    first = scale(images, low, high, transform=transform)
    tensors = [torch.from_numpy(x.astype(np.float32)) for x in (images, low, high)]
    second = scale(*tensors, transform=transform)
    assert first.dtype == np.float32
    assert second.dtype == torch.float32
    assert first.min() == 0
    assert first.max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(first, second.numpy(), atol=1e-6)


def test_known_values():
    images = np.array([0, 10, 35, 110, 200], np.uint16).reshape(1, 1, 1, 5)
    low, high = np.full((1, 1), 10, np.float32), np.full((1, 1), 110, np.float32)
    np.testing.assert_allclose(
        scale(images, low, high, transform="linear").ravel(), [0, 0, 0.25, 1, 1]
    )
    np.testing.assert_allclose(
        scale(images, low, high, transform="sqrt").ravel(), [0, 0, 0.5, 1, 1]
    )
    log = scale(images, low, high, transform="log").ravel()
    np.testing.assert_allclose(log, [0, 0, np.log(26) / np.log(101), 1, 1], rtol=1e-6)


def test_a_dead_channel_gives_no_nan():
    images = np.full((1, 1, 2, 2), 7, np.uint8)
    bound = np.full((1, 1), 7, np.float32)
    assert (scale(images, bound, bound, transform="linear") == 0).all()


def test_per_plate_uses_each_plates_own(crops):
    low, high = fit_scaling(crops, Scaling("plate", (5, 95))).bounds(crops, [0, 29, 30])
    assert (low[0] == low[1]).all()
    assert (low[1] != low[2]).any()
    np.testing.assert_array_equal(high[2], crops.percentiles.of_plate("P22", 95))


def test_percentiles_that_are_not_stored_are_measured(crops):
    fitted = fit_scaling(crops, Scaling("global", (2.5, 97.5)))
    expected = np.percentile(crops.read()[:, 1], 97.5, method="inverted_cdf")
    assert fitted.high["global"][1] == expected


def test_per_cell(crops):
    fitted = fit_scaling(crops, Scaling("cell", (0, 100)))
    low, high = fitted.bounds(crops, [3, 50])
    images = crops.read([3, 50])
    np.testing.assert_array_equal(low, images.min(axis=(2, 3)))
    np.testing.assert_array_equal(high, images.max(axis=(2, 3)))


def test_channels_are_chosen_by_name(crops):
    fitted = fit_scaling(crops, Scaling("global"))
    low, _ = fitted.bounds(crops)
    turned, _ = fitted.bounds(crops, channels=["Actin", "DNA"])
    np.testing.assert_array_equal(low[:, ::-1], turned)
    with pytest.raises(CropError, match="no channel Tubulin; it has DNA, Actin"):
        fitted.bounds(crops, channels=["Tubulin"])
    known = FittedScaling(
        Scaling("global"), ("ER",), {"global": low[0, :1]}, {"global": low[0, :1]}
    )
    with pytest.raises(CropError, match="no channel ER; it has DNA, Actin"):
        known.read(crops, [0], channels=["ER"])


def test_new_plate(crops, crop_file, batch):
    other = crop_file(batch(30, plate="new"), name="other.h5ad")
    per_plate = fit_scaling(crops, Scaling("plate"))
    with pytest.raises(CropError, match="does not know new"):
        per_plate.bounds(other)
    low, _ = per_plate.for_crops(other).bounds(other, 0)
    np.testing.assert_array_equal(low[0], other.percentiles.of_plate("new", 1))
    per_screen = fit_scaling(crops, Scaling("global"))
    assert per_screen.for_crops(other) is per_screen


def test_saved_and_read_again(crops):
    for per in ("plate", "global", "cell"):
        fitted = fit_scaling(crops, Scaling(per, (1, 99), "log"))
        saved = fitted.to_dict()
        again = FittedScaling.from_dict(saved)
        assert again.rule == fitted.rule
        np.testing.assert_array_equal(again.bounds(crops)[1], fitted.bounds(crops)[1])
        assert again.to_dict() == saved
    with pytest.raises(CropError, match="cannot be read"):
        FittedScaling.from_dict({"per": "plate"})


def test_few_cells_a_plate_are_warned_about(crops, caplog):
    with caplog.at_level(logging.WARNING):
        fit_scaling(crops, Scaling("plate"))
    assert "use scaling {per: global}" in caplog.text
    assert "2 of 2 plates" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"per": "well"}, "per: got 'well'"),
        ({"percentiles": (99, 1)}, "percentiles: got"),
        ({"transform": "cube"}, "transform: got 'cube'"),
    ],
)
def test_wrong_rules(arguments, message):
    with pytest.raises(ValueError, match=message):
        Scaling(**arguments)


def test_an_unknown_transform_is_refused_where_pixels_are_scaled():
    bound = np.ones((1, 1))
    with pytest.raises(ValueError, match="transform: got 'cube', wanted one of linear, sqrt, log"):
        scale(np.ones((1, 1, 2, 2)), 0 * bound, bound, transform="cube")

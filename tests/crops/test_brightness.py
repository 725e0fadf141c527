"""Cells whose grey values are not those that an encoder was trained with."""

from dataclasses import replace

import numpy as np
import pytest

from cellssl.crops import Scaling, compare_brightness, fit_scaling


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda pixels: pixels, False),
        (lambda pixels: pixels // 2 + 4000, False),  # another exposure, another dark level
        (lambda pixels: pixels // 256, True),  # 8 bits
        (lambda pixels: pixels // 8, True),
        (lambda pixels: (pixels / 2**20).astype(np.float32), True),  # fractions
        (lambda pixels: pixels // 2 + 30000, True),  # the dark is bright
    ],
)
def test_grey_values_far_from_those_of_training_are_told(crop_file, batch, caplog, change, told):
    scaling = fit_scaling(crop_file(batch(30)), Scaling("global"))
    new = batch(30, plate="new")
    said = compare_brightness(
        crop_file(replace(new, images=change(new.images)), name="other.h5ad"),
        scaling,
        of="in its training",
    )
    assert ("sees 2 channels of 1 plate black, white or flat: DNA (" in caplog.text) is told
    assert ("in its training) and Actin (" in caplog.text) is told
    assert "(0 to 0 " not in caplog.text
    assert caplog.messages == [said] * told  # what the embedding keeps


def test_channels_are_compared_by_name_and_one_that_differs_is_named(crop_file, batch, caplog):
    scaling = fit_scaling(crop_file(batch(30)), Scaling("global"))
    turned = replace(
        scaling,
        channels=scaling.channels[::-1],
        low={"global": scaling.low["global"][::-1]},
        high={"global": np.float32([1e6, scaling.high["global"][0]])},
    )
    compare_brightness(crop_file(batch(30)), turned, of="in its training")
    assert "1 channel of 1 plate" in caplog.text
    assert "Actin (" in caplog.text
    assert "DNA" not in caplog.text


def test_a_scaling_of_each_plates_own_fits_every_exposure(crop_file, batch, caplog):
    scaling = fit_scaling(crop_file(batch(250)), Scaling("plate"))
    new = batch(250, plate="new")
    dim = crop_file(replace(new, images=new.images // 256), name="other.h5ad")
    compare_brightness(dim, scaling.for_crops(dim), of="in its training")
    assert not caplog.records


def test_a_scaling_of_these_very_crops_is_not_doubted(crop_file, batch, caplog):
    one, dim = batch(30), batch(30, plate="dim")
    crops = crop_file(one, replace(dim, images=dim.images // 16))
    compare_brightness(crops, fit_scaling(crops, Scaling("global")), of="in its training")
    assert not caplog.records
    bright = crop_file(one, name="other.h5ad")
    compare_brightness(crops, fit_scaling(bright, Scaling("global")), of="there")
    assert "2 channels of 1 plate" in caplog.text

"""Channels that lie beside the nuclei, or not with them at all."""

import numpy as np
import pandas as pd
import pytest

from cellssl.cells import check_crops
from cellssl.crops import CropBatch, write_crops

CHANNELS = ["DNA", "Actin"]


def cells(n=600, size=32):
    """Nuclei in the middle, and stained bodies about them (n, 2, H, W), as different as cells are."""
    rng = np.random.default_rng(0)
    axis = np.arange(size) - (size - 1) / 2
    y, x = (axis + rng.normal(0, 1, (n, 1)) for _ in range(2))
    apart = (y**2)[:, :, None] + (x**2)[:, None, :]
    nuclei = 900 * np.exp(-apart / (2 * 4**2))
    bodies = 600 * np.exp(-apart / (2 * 7**2)) * rng.uniform(0.3, 2, (n, 1, 1)) - 0.3 * nuclei
    images = 100 + np.stack([nuclei, bodies], axis=1)
    return (images + rng.normal(0, 20, images.shape)).clip(0).astype(np.uint16)


def shifted(images, channel, by):
    images = images.copy()
    images[:, channel] = np.roll(images[:, channel], by, (1, 2))
    return images


def anywhere(images, channel):
    """As of a channel that is mirrored against the others: bodies lie where they happen to."""
    rng = np.random.default_rng(1)
    images = images.copy()
    for image in images:
        image[channel] = np.roll(image[channel], rng.integers(0, 32, 2), (0, 1))
    return images


@pytest.fixture
def told(tmp_path, caplog):
    def check(images, plates=("P1",)):
        names = np.resize(plates, len(images))
        obs = pd.DataFrame(
            {"Metadata_Plate": names, "Area_Nucleus": 100.0}, [f"P/{i}" for i in range(len(images))]
        )
        batch = CropBatch(images, None, obs)
        file = write_crops(
            tmp_path / "crops.h5ad", [batch], channels=CHANNELS, size=32, provenance={}
        )
        caplog.clear()
        check_crops(file)
        return [message.split(": in the mean of many cells it ") for message in caplog.messages]

    return check


def test_channels_on_the_nuclei_are_not_told(told):
    assert not told(cells())
    assert not told(shifted(cells(), 1, (1, 0)))
    assert not told(shifted(cells(200), 1, (4, -6)))  # so few do not tell


def test_a_shifted_channel_is_told(told):
    ((which, how),) = told(shifted(cells(), 1, (4, -6)))
    assert which == "channel Actin of plate P1"
    assert how.startswith("lies 4 px below and 6 px left of the nuclei. Are the cameras")
    ((which, _),) = told(shifted(cells(), 1, (0, 6)), plates=("P1", "P2"))
    assert which == "channel Actin of all plates together"


def test_a_channel_that_does_not_follow_the_nuclei_is_told(told):
    ((which, how),) = told(anywhere(cells(), 1))
    assert which == "channel Actin of plate P1"
    assert how.startswith("shows nothing that lies with the nuclei. Is it mirrored")


def test_crops_that_were_not_cut_around_nuclei_are_told(told):
    ((which, how),) = told(np.roll(cells(), 5, 3))
    assert which == "channel DNA of plate P1"
    assert how.startswith("lies 5 px right of the middle. Do the labels")
    both = told(anywhere(anywhere(cells(), 0), 1))
    assert both[0][1].startswith("shows no nucleus in the middle")

"""Channels of nuclei in which nuclei are dark, or as bright as dark, are told from fluorescence."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from scipy import ndimage

from cellssl.cells import ThresholdSegmenter
from cellssl.cells.job import Job
from cellssl.cells.quality.transmission import looks_transmitted

from .examples import run

SIDE = 320


def nuclei(step: float, radius: float = 10, *, seed: int = 0) -> np.ndarray:
    """Draw nuclei of 0.5 to 1 on 0, a step apart: (Y, X)."""
    random = np.random.default_rng(seed)
    light = np.zeros((SIDE, SIDE), np.float32)
    for place in np.mgrid[step / 2 : SIDE : step, step / 2 : SIDE : step].reshape(2, -1).T:
        x, y = (place + random.uniform(-0.1, 0.1, 2) * step).astype(int).tolist()
        axes = (radius * random.uniform(0.8, 1.2, 2)).astype(int).tolist()
        cv2.ellipse(light, (x, y), axes, random.uniform(0, 180), 0, 360, random.uniform(0.5, 1), -1)
    return cv2.GaussianBlur(light, (0, 0), 1.2)


def seen(light: np.ndarray, noise: float = 15, dtype: type = np.uint16) -> np.ndarray:
    """Add the camera's noise."""
    pixels = np.random.default_rng(1).normal(light, noise)
    return pixels.clip(0, np.iinfo(dtype).max).astype(dtype)


def humps(seed: int, sigma: float) -> np.ndarray:
    texture = ndimage.gaussian_filter(
        np.random.default_rng(seed).normal(size=(SIDE, SIDE)), sigma, mode="wrap"
    )
    return texture / texture.std()


def edges(light: np.ndarray) -> np.ndarray:
    """Give what phase contrast shows: dark bodies in bright halos."""
    return ndimage.gaussian_filter(light, 1) - ndimage.gaussian_filter(light, 8)


FLUORESCENCE = {
    "usual": seen(200 + 2000 * nuclei(45)),
    "few": seen(200 + 2000 * nuclei(160)),
    "dense": seen(200 + 2000 * nuclei(26)),
    "touching": seen(200 + 2000 * nuclei(22)),
    "dense, with cytoplasm": seen(
        200 + 2000 * nuclei(24) + 700 * ndimage.gaussian_filter(nuclei(24), 8)
    ),
    "dense, out of focus": seen(200 + 2000 * ndimage.gaussian_filter(nuclei(24), 4)),
    "high dark level": seen(2000 + 300 * nuclei(40)),
    "dense, high dark level": seen(2000 + 300 * nuclei(26)),
    "8 bits": seen(10 + 150 * nuclei(45), 2, np.uint8),
    "8 bits, dim": seen(6 + 12 * nuclei(45), 1, np.uint8),
    "dark level subtracted": seen(2000 * nuclei(45), 5),
    "saturated": seen(200 + 9000 * nuclei(45)).clip(max=4095),
    "uneven background": seen(
        300 + 1000 * nuclei(45) + 1500 * np.linspace(0, 1, SIDE) ** 2 * np.ones((SIDE, 1))
    ),
    "dark corners": seen((600 + 1200 * nuclei(45)) * np.hanning(SIDE + 200)[100:-100]),
    "grainy background": seen(400 + 1000 * nuclei(45) + 50 * humps(2, 6)),
    "large": seen(200 + 2000 * nuclei(100, 36)),
    "tiny": seen(200 + 2000 * nuclei(12, 3)),
    "noisy": seen(100 + 60 * nuclei(45), 15),
}
TRANSMITTED = {
    "inverted": seen(4000 - 2500 * nuclei(45)),
    "inverted, few": seen(4000 - 2500 * nuclei(100)),
    "inverted, weak": seen(4000 - 800 * nuclei(45)),
    "inverted, 8 bits": seen(220 - 150 * nuclei(45), 3, np.uint8),
    "phase contrast": seen(3000 - 1500 * edges(nuclei(45))),
    "phase contrast, dense": seen(3000 - 1500 * edges(nuclei(26))),
    "phase contrast, 8 bits": seen(120 - 60 * edges(nuclei(45)), 3, np.uint8),
    "brightfield": seen(3000 - 300 * edges(nuclei(30)) + 150 * humps(3, 2)),
    "differential interference": seen(
        3000 + 800 * (np.roll(nuclei(30), 3, 1) - np.roll(nuclei(30), -3, 1))
    ),
    "grey texture": seen(3000 + 250 * humps(4, 4)),
}


@pytest.mark.parametrize("name", FLUORESCENCE)
def test_fluorescence_of_nuclei_is_not_doubted(name):
    assert not looks_transmitted(FLUORESCENCE[name], 50)


@pytest.mark.parametrize("name", TRANSMITTED)
def test_transmitted_and_inverted_light_are_told(name):
    assert looks_transmitted(TRANSMITTED[name], 50)


@pytest.mark.parametrize(
    "image", [np.zeros((40, 40), np.uint8), seen(np.full((SIDE, SIDE), 200.0))]
)
def test_an_empty_field_says_nothing(image):
    assert not looks_transmitted(image, 0)
    assert not looks_transmitted(image, 3)


def test_real_nuclei_are_not_doubted(data: Path):
    folders = ("dsb2018/images/*", "sbs_plate/Channel2-*[0-9].tif", "bbbc021/fields/*_w1*")
    images = [tifffile.imread(path) for folder in folders for path in data.glob(folder)]
    assert len(images) > 150
    assert not any(looks_transmitted(image, 50) for image in images)
    inverted = [looks_transmitted(image.max() - image, 2) for image in images]
    assert np.mean(inverted) > 0.98


@pytest.mark.parametrize(("kind", "told"), [("brightfield", 1), ("dense", 0)])
def test_a_plate_whose_channel_of_nuclei_shows_none_is_told(make_plate, tmp_path, kind, told):
    plate = make_plate(4)
    for number, path in enumerate(plate.fields["Path_DNA"]):
        image = {**TRANSMITTED, **FLUORESCENCE}[kind]
        tifffile.imwrite(path, np.roll(image, 40 * number, 0))
        tifffile.imwrite(plate.fields["Path_GFP"][number], FLUORESCENCE["usual"])
    report = run(plate, tmp_path / "out", size=16)
    remarks = [remark for remark in report.remarks if "bright on dark" in remark]
    assert report.found
    assert len(remarks) == told
    assert not told or not any("would suit them" in remark for remark in report.remarks)
    assert all(
        own.startswith("channel DNA of plate P1 does not look") and "--nucleus" in own
        for own in remarks
    )


def test_what_a_model_finds_in_transmitted_light_is_not_doubted():
    class Model:
        name, nucleus_channel = "model", "BF"

    channels = ("BF", "DNA")
    assert Job(ThresholdSegmenter("BF"), channels, 16, masks=True).nucleus == 0
    assert Job(Model(), channels, 16, masks=True).nucleus is None

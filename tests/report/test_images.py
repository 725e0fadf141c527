"""What the report says of images, and of how plates were lit."""

import numpy as np

from cellssl.report.sections.images import _lighting, images_section


def test_channels_whose_light_was_left_as_it_is_are_named():
    slope = np.linspace(0.8, 1.2, 32 * 32, dtype=np.float32).reshape(32, 32)
    even = np.full((32, 32), 0.9999998, np.float32)  # as a mean of 1 may be rounded
    caption = _lighting({"P1": np.stack([slope, even])}, ["DNA", "Actin"]).caption
    assert "Left as they are" in caption
    assert "P1 Actin" in caption
    assert "P1 DNA" not in caption
    assert "Left" not in _lighting({"P1": np.stack([slope, slope])}, ["DNA", "Actin"]).caption


def test_what_is_unusual_about_images_stands_first():
    image = np.zeros((8, 8), np.uint16)
    overlay = [("P1 A01", image, image.astype(np.int32))]
    section = images_section(None, overlay, {}, None, remarks=["plate P1: dust on the camera?"])
    assert section.blocks[0].text == "Plate P1: dust on the camera?"

"""What the report says of how plates were lit."""

import numpy as np

from cellssl.report.sections.images import _lighting


def test_channels_whose_light_was_left_as_it_is_are_named():
    slope = np.linspace(0.8, 1.2, 32 * 32, dtype=np.float32).reshape(32, 32)
    even = np.full((32, 32), 0.9999998, np.float32)  # as a mean of 1 may be rounded
    caption = _lighting({"P1": np.stack([slope, even])}, ["DNA", "Actin"]).caption
    assert "Left as they are" in caption
    assert "P1 Actin" in caption
    assert "P1 DNA" not in caption
    assert "Left" not in _lighting({"P1": np.stack([slope, slope])}, ["DNA", "Actin"]).caption

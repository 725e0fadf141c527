"""The segmenter that needs no weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellssl.cells.segmentation.bodies import BODIES, body_channels, body_image
from cellssl.cells.segmentation.labels import Labels, find_nucleus_channel
from cellssl.cells.segmentation.levels import li_threshold
from cellssl.cells.segmentation.nuclei import find_nuclei
from cellssl.cells.segmentation.smoothing import distance_to, gaussian
from cellssl.framing import diameter_of

_VERSION = 8  # raise it when the same settings come to find other nuclei
_REACH = 1.5  # diameters that a cell may extend beyond its nucleus
_SMOOTH = 2.0  # px: sigma for cell bodies
_STRIDE = 3  # px: of what their threshold is computed on


@dataclass(frozen=True)
class ThresholdSegmenter:
    """Nuclei by thresholds and watershed (see `find_nuclei`), and cells around them if wanted.

    Attributes
    ----------
    nucleus_channel : str or None
        The channel that shows nuclei; by default the one named like a DNA stain.
    diameter : float or None
        Usual diameter of a nucleus in pixels; estimated for each field by default.
    cells : bool
        Whether to find the cells too: watershed from the nuclei over the mean of the other
        channels, but for those named like brightfield.

    Examples
    --------
    >>> yy, xx = np.mgrid[:64, :64]
    >>> blob = ((yy - 30) ** 2 + (xx - 30) ** 2 < 100) * 200.0
    >>> int(ThresholdSegmenter().segment(blob[None], ["DNA"]).nuclei.max())
    1
    """

    nucleus_channel: str | None = None
    diameter: float | None = None
    cells: bool = False

    def __post_init__(self) -> None:
        if self.diameter is not None and not self.diameter > 0:
            raise ValueError(f"diameter: got {self.diameter}, wanted more than 0 pixels")

    @property
    def name(self) -> str:
        """``threshold``."""
        return "threshold"

    def settings(self) -> dict[str, Any]:
        """Give what the result depends on."""
        return {
            "version": _VERSION,
            "nucleus_channel": self.nucleus_channel,
            "diameter": self.diameter,
            "cells": self.cells,
            **({"bodies": BODIES} if self.cells else {}),
        }

    def check(self, channels: Sequence[str]) -> None:
        """Make sure that one of the channels shows nuclei.

        Raises
        ------
        PlateError
            When none does.
        """
        find_nucleus_channel(channels, self.nucleus_channel)

    def segment(self, field: np.ndarray, channels: Sequence[str]) -> Labels:
        """Find the nuclei of a field (C, Y, X), and the cells if wanted."""
        number = find_nucleus_channel(channels, self.nucleus_channel)
        nuclei = find_nuclei(field[number], diameter=self.diameter)
        if not self.cells:
            return Labels(nuclei)
        return Labels(nuclei, _find_cells(nuclei, field[body_channels(channels, number)]))


def _find_cells(nuclei: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Grow each nucleus over what the other channels show, up to `_REACH` of its diameters.

    Without other channels, a cell is what lies within that reach and nearer to its nucleus than to
    any other.
    """
    from skimage.segmentation import watershed  # half a second that nuclei alone need not wait for

    areas = np.bincount(nuclei.ravel())[1:]
    if not len(areas):
        return np.zeros_like(nuclei)
    reach = _REACH * diameter_of(float(np.median(areas)))
    distance = distance_to(nuclei > 0)
    near = distance <= reach
    if not len(others):
        return watershed(distance, nuclei, mask=near).astype(np.int32)
    body = gaussian(body_image(others), _SMOOTH)
    cut, _ = li_threshold(body[::_STRIDE, ::_STRIDE])
    inside = (nuclei > 0) | (near & (body > cut))
    return watershed(-body, nuclei, mask=inside).astype(np.int32)

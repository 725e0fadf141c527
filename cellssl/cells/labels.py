"""What a segmenter gives, and what one must be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cellssl.errors import PlateError

__all__ = ["Labels", "Segmenter", "find_nucleus_channel"]

_DNA_NAMES = ("dapi", "dna", "hoechst", "h33342", "draq5", "nuclei", "nucleus", "nuc", "h2b")


@dataclass(frozen=True)
class Labels:
    """The objects of a field.

    Attributes
    ----------
    nuclei : ndarray
        (Y, X) int32: 0 background, 1 … n the nuclei.
    cells : ndarray or None
        (Y, X) int32: the whole cells, each with the number of its nucleus.
    """

    nuclei: np.ndarray
    cells: np.ndarray | None = None


@runtime_checkable
class Segmenter(Protocol):
    """Finds the nuclei (and perhaps the cells) of a field; picklable, for worker processes."""

    @property
    def name(self) -> str:
        """What it is called in provenance and on the command line."""
        ...

    def check(self, channels: Sequence[str]) -> None:
        """Raise a CellsslError when it cannot work on these channels, or at all."""
        ...

    def segment(self, field: np.ndarray, channels: Sequence[str]) -> Labels:
        """Find the objects of a field (C, Y, X) whose channels have these names."""
        ...

    def settings(self) -> dict[str, Any]:
        """Give all that its result depends on, as plain values."""
        ...


def find_nucleus_channel(channels: Sequence[str], wanted: str | None) -> int:
    """Find the channel that shows nuclei: the one named, else the first whose name means DNA.

    Raises
    ------
    PlateError
        When there is none.

    Examples
    --------
    >>> find_nucleus_channel(["GFP", "DNA"], None)
    1
    """
    if wanted is not None:
        if wanted in channels:
            return list(channels).index(wanted)
        raise PlateError(f"there is no channel {wanted!r} to segment; got {', '.join(channels)}")
    for name in _DNA_NAMES:
        for number, channel in enumerate(channels):
            if name in channel.lower():
                return number
    raise PlateError(
        f"none of the channels {', '.join(channels)} is named like a DNA stain "
        "(DAPI, DNA, Hoechst, …); say which one shows nuclei with --nucleus (nucleus_channel=)"
    )

"""What a segmenter gives, and what one must be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cellssl.channels import NUCLEI, is_transmitted
from cellssl.errors import PlateError


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


@runtime_checkable
class FieldSegmenter(Segmenter, Protocol):
    """A segmenter that must know which field it works on, since it reads files of that field."""

    @property
    def files(self) -> Sequence[Path]:
        """The files besides the images that the result for this field depends on."""
        ...

    def for_field(self, row: Mapping[str, Any], binning: int = 1) -> "FieldSegmenter":
        """Give the segmenter of one field, a row of the index, whose pixels are binned."""
        ...


def segmenter_for(
    segmenter: Segmenter, row: Mapping[str, Any], binning: int = 1
) -> tuple[Segmenter, Sequence[Path]]:
    """Give the segmenter of one field, a row of the index, and the files it reads besides images.

    Most segmenters are the same for every field, and read none.
    """
    if isinstance(segmenter, FieldSegmenter):
        bound = segmenter.for_field(row, binning)
        return bound, bound.files
    return segmenter, ()


def find_nucleus_channel(channels: Sequence[str], wanted: str | None = None) -> int:
    """Find the channel that shows nuclei: the one named, else the first whose name means DNA.

    Light that passed through the cells may have passed DAPI's filter (InCell's ``TL-Brightfield - DAPI``): it
    shows no nuclei.

    Raises
    ------
    PlateError
        When there is none.

    Examples
    --------
    >>> find_nucleus_channel(["GFP", "DNA"])
    1
    """
    if wanted is not None:
        if wanted in channels:
            return list(channels).index(wanted)
        raise PlateError(f"there is no channel {wanted!r} to segment; got {', '.join(channels)}")
    for name in NUCLEI:
        for number, channel in enumerate(channels):
            if name in channel.lower() and not is_transmitted(channel):
                return number
    raise PlateError(
        f"none of the channels {', '.join(channels)} is named like a DNA stain "
        "(DAPI, DNA, Hoechst, …); say which one shows nuclei with --nucleus (nucleus_channel=). Where none "
        "does, take cells found elsewhere with --labels (cellssl.cells.LabelImages)"
    )

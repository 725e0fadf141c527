"""Whatever turns a cell into features, with all that must be known to feed it and to cite it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from cellssl.crops import Crops, FittedScaling
from cellssl.errors import CropError, nearest


@dataclass(frozen=True)
class Preprocessing:
    """How crops are looked at.

    Attributes
    ----------
    channels : tuple of str
        The crops' channels that are seen, in this order.
    crop_size : int
        Side of the centre crop in pixels.
    scaling : FittedScaling
        From grey values to [0, 1].
    """

    channels: tuple[str, ...]
    crop_size: int
    scaling: FittedScaling


@dataclass(frozen=True)
class Extractor:
    """A way from crops to features.

    Attributes
    ----------
    name : str
        How it is called in tables and figures.
    network : nn.Module
        From scaled crops (B, C, crop_size, crop_size) in [0, 1] to (B, len(features)).
    features : list of str
        Names of the features.
    sees : Preprocessing
        What goes in.
    provenance : dict
        What `uns["cellssl"]` says about the encoder.
    measures : tuple of str
        Numeric columns of the cells' table that are appended as features.
    lies_anyhow : bool
        Whether features are the same however a cell lies, as those of single pixels are.
    """

    name: str
    network: nn.Module
    features: list[str]
    sees: Preprocessing
    provenance: dict[str, Any]
    measures: tuple[str, ...] = ()
    lies_anyhow: bool = False


def check_fit(crops: Crops, channels: Sequence[str], size: int, *, who: str) -> None:
    """Make sure that crops have the channels and the pixels that a model wants.

    Raises
    ------
    CropError
        Names the missing channel and the nearest that is there, or both sizes.
    """
    for channel in channels:
        if channel not in crops.channels:
            raise CropError(
                f"{who} channel {channel!r}, and {crops.path} has {', '.join(crops.channels)}"
                f"{nearest(channel, crops.channels, listed=True) or '.'} "
                "`cellssl crops join` gives channels other names (--channel OLD=NEW)."
            )
    if not 1 <= size <= crops.size:
        raise CropError(
            f"{who} crops of {size} pixels, and {crops.path} stores {crops.size}. "
            f"Crop the plate again with --size {max(size, 1)} or more."
        )

"""Whether cells lie in the grey values that an encoder was trained with."""

import logging

import numpy as np
import pandas as pd

from cellssl.crops.percentiles import PercentileTable
from cellssl.crops.scaling import FittedScaling, percentiles_of
from cellssl.crops.store import Crops
from cellssl.words import counted, listed

__all__ = ["compare_brightness"]

_LOG = logging.getLogger(__name__)
# Ratio of ranges: exposures and stains of one screen differ by less, 8 and 12 bits by 16.
_UNLIKE = 3.0
# Share of the cells' range that becomes black, or of the encoder's that stays empty below.
_CUT = 1 / 3


def compare_brightness(crops: Crops, scaling: FittedScaling, *, of: str) -> str:
    """Say in which channels cells are black, white or flat to an encoder with one scaling for all plates.

    Parameters
    ----------
    crops : Crops
        Cells that the encoder is to see.
    scaling : FittedScaling
        Which grey values are 0 and 1 to it; only those of ``per: global`` are not the cells' own.
    of : str
        Where these are from, such as "where run was trained".

    Returns
    -------
    str
        What was said; "" where the encoder sees all channels well.
    """
    if scaling.rule.per != "global":
        return ""
    table = percentiles_of(crops, scaling.rule.percentiles)
    if _are_its_own(crops, table, scaling):
        return ""
    ranges = _ranges(crops, table, scaling)
    inside = [
        _lies_within(*row)
        for row in ranges[["own_low", "own_high", "low", "high"]].to_numpy(dtype=float)
    ]
    told = ranges[~np.array(inside, dtype=bool)]
    if told.empty:
        return ""
    first = told.drop_duplicates("channel")
    examples = [
        f"{row['channel']} ({row['own_low']:.0f} to {row['own_high']:.0f} on {row['plate']}, "
        f"{row['low']:.0f} to {row['high']:.0f} {of})"
        for row in first.to_dict("records")
    ]
    text = (
        f"{crops.path}: the encoder sees {counted(len(first), 'channel')} of "
        f"{counted(told['plate'].nunique(), 'plate')} black, white or flat: {listed(examples, most=5)}. Images of "
        "another exposure or bit depth? An encoder trained with scaling {per: plate} takes each plate's own grey values"
    )
    _LOG.warning("%s", text)
    return text


def _are_its_own(crops: Crops, table: PercentileTable, scaling: FittedScaling) -> bool:
    """Tell crops whose own percentiles the scaling is: it was made for them, whatever one plate of theirs is like."""
    places = [crops.channels.index(channel) for channel in scaling.channels]
    own = [table.of_all(percent)[places] for percent in scaling.rule.percentiles]
    return np.array_equal(own, [scaling.low["global"], scaling.high["global"]])


def _ranges(crops: Crops, table: PercentileTable, scaling: FittedScaling) -> pd.DataFrame:
    """Give, for each plate and channel, the grey values of its cells and those that are 0 and 1 to the encoder."""
    asked = scaling.rule.percentiles
    rows = []
    for number, channel in enumerate(scaling.channels):
        place = crops.channels.index(channel)
        for plate in table.plates:
            own_low, own_high = (table.of_plate(plate, percent)[place] for percent in asked)
            rows.append(
                {
                    "plate": plate,
                    "channel": channel,
                    "own_low": own_low,
                    "own_high": own_high,
                    "low": scaling.low["global"][number],
                    "high": scaling.high["global"][number],
                }
            )
    return pd.DataFrame(rows, columns=["plate", "channel", "own_low", "own_high", "low", "high"])


def _lies_within(own_low: float, own_high: float, low: float, high: float) -> bool:
    """Tell whether a range of grey values is much like another.

    Examples
    --------
    >>> _lies_within(100, 900, 80, 1200), _lies_within(5, 60, 80, 1200)
    (True, False)
    """
    if not own_high > own_low or not high > low:
        return True  # a channel without any light, here or there: the one is as good as the other
    ratio = (own_high - low) / (high - low)
    if ratio <= 0:
        return False
    black = (low - own_low) / (own_high - own_low)
    empty = (own_low - low) / (high - low)
    return max(ratio, 1 / ratio) <= _UNLIKE and max(black, empty) <= _CUT

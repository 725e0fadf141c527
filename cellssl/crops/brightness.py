"""Whether cells lie in the grey values that an encoder was trained with, or others they are joined with."""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from cellssl.crops.percentiles import PercentileTable
from cellssl.crops.scaling import FittedScaling, Scaling, fit_scaling, percentiles_of
from cellssl.crops.store import Crops
from cellssl.words import counted, listed

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
    told = [*_find_unlike(crops, table, scaling)]
    if not told:
        return ""
    examples, plates = _examples(told, of), {row.plate for row in told}
    text = (
        f"{crops.path}: the encoder sees {counted(len(examples), 'channel')} of {counted(len(plates), 'plate')} black, "
        f"white or flat: {listed(examples, most=5)}. Images of another exposure or bit depth? An encoder trained with "
        "scaling {per: plate} takes each plate's own grey values"
    )
    _LOG.warning("%s", text)
    return text


def compare_files(crops: Crops, other: Crops, channels: Sequence[str]) -> None:
    """Say in which channels cells lie in other grey values than those of another file."""
    if not len(crops) or not len(other):
        return
    scaling = fit_scaling(other, Scaling(per="global"))
    table = percentiles_of(crops, scaling.rule.percentiles)
    told = [row for row in _find_unlike(crops, table, scaling) if row.channel in channels]
    if told:
        _LOG.warning(
            "%s: grey values are unlike those of %s: %s. Images of another exposure or bit depth? One scaling {per: "
            "global} makes some of these cells black, white or flat; {per: plate} takes each plate's own",
            crops.path,
            other.path,
            listed(_examples(told, "there"), most=5),
        )


def _are_its_own(crops: Crops, table: PercentileTable, scaling: FittedScaling) -> bool:
    """Tell crops whose own percentiles the scaling is: it was made for them, whatever one plate of theirs is like."""
    places = [crops.channels.index(channel) for channel in scaling.channels]
    own = [table.of_all(percent)[places] for percent in scaling.rule.percentiles]
    return np.array_equal(own, [scaling.low["global"], scaling.high["global"]])


class _Range(NamedTuple):
    """The grey values of a plate's cells in a channel, and those that are 0 and 1 to the encoder."""

    plate: str
    channel: str
    own_low: float
    own_high: float
    low: float
    high: float


def _find_unlike(crops: Crops, table: PercentileTable, scaling: FittedScaling) -> Iterator[_Range]:
    """Give the channels of plates whose grey values are not those that become 0 to 1."""
    for channel, *ends in zip(
        scaling.channels, scaling.low["global"], scaling.high["global"], strict=True
    ):
        if channel not in crops.channels:
            continue
        place = crops.channels.index(channel)
        for plate in table.plates:
            own = [table.of_plate(plate, asked)[place] for asked in scaling.rule.percentiles]
            if not _lies_within(*own, *ends):
                yield _Range(plate, channel, *own, *ends)


def _examples(told: Sequence[_Range], of: str) -> list[str]:
    """Write one plate of each channel."""
    first = [next(rows) for _, rows in groupby(told, key=lambda row: row.channel)]
    return [
        f"{row.channel} ({_grey(row.own_low)} to {_grey(row.own_high)} on {row.plate}, "
        f"{_grey(row.low)} to {_grey(row.high)} {of})"
        for row in first
    ]


def _grey(value: float) -> str:
    """Write a grey value; of fractions two digits.

    Examples
    --------
    >>> _grey(4527.6), _grey(0.0163)
    ('4528', '0.016')
    """
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


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

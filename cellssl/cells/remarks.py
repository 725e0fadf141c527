"""What should be known of a plate's images before its cells are believed, though nothing stopped cropping."""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

import numpy as np

from cellssl.cells.assembly import Assembly
from cellssl.cells.job import Job
from cellssl.cells.quality.alignment import misplaced_channels
from cellssl.cells.quality.arrangement import swapped_channels
from cellssl.cells.quality.dust import ENOUGH_FIELDS
from cellssl.cells.quality.judging import dull_plates
from cellssl.cells.quality.usual import bare_channels
from cellssl.crops import Crops, unlike_nuclei
from cellssl.framing import LOST, MOST_BINNED, VIEW, diameter_of, stored_size, view_for
from cellssl.words import counted, listed

_SAID = 10  # plates or fields are named one by one up to so many
_ROOMY = 2.0  # diameters of a nucleus: a crop of less cuts cells
_WIDE = 128  # px: a view of so many would do binned
_FULL = 0.02  # of a cell's pixels at the camera's end: some 0.15 is a whole nucleus


def remarks_on(fields: Assembly, job: Job, crops: Crops) -> Iterator[str]:
    """Give a sentence or two for each thing that is unusual about the images."""
    usual, transmitted = fields.usual, fields.transmitted
    nuclei = {plate: own.area for plate, own in usual.items() if plate not in transmitted}
    diameters = {plate: diameter_of(area) for plate, area in nuclei.items() if area > 0}
    yield from _some(_unusual_fields(fields.unusual), "kinds of fields left out: see fields.csv")
    yield from _transmitted(transmitted, job)
    yield from _ill_fitting(job.size, job.binning, diameters)
    yield from _unlike_plates(diameters)
    yield from _some(_dull(*dull_plates(usual)), "plates that are far less sharp")
    yield from _overexposed({plate: own.saturated for plate, own in usual.items()}, job.channels)
    yield from bare_channels(usual, job.channels)
    yield from misplaced_channels(crops, usual)
    yield from swapped_channels(crops)
    yield from _some(_dusty(fields.dust), "plates with an object at one place in most fields")


def _some(remarks: Iterator[str], such: str) -> Iterator[str]:
    """Give ten of many remarks, and say how many more such things there are."""
    told = [*remarks]
    yield from told[:_SAID]
    if len(told) > _SAID:
        yield f"and {len(told) - _SAID} more {such}"


def _unusual_fields(unusual: Mapping[str, str]) -> Iterator[str]:
    """Say which fields are left out since they differ from most of their plate, kind by kind."""
    for what in dict.fromkeys(unusual.values()):
        places = [place for place, own in unusual.items() if own == what]
        yield (
            f"{counted(len(places), 'field')} left out ({listed(places, most=_SAID)}): {what}. Fields of another kind "
            "want to be indexed and cropped by themselves"
        )


def _transmitted(plates: Sequence[str], job: Job) -> Iterator[str]:
    """Say on which plates the channel that nuclei were found in does not look as if it showed any."""
    if plates and job.nucleus is not None:
        where = f"plate{'s' if len(plates) > 1 else ''} {listed(plates, most=_SAID)}"
        yield (
            f"channel {job.channels[job.nucleus]} of {where} does not look like the "
            "fluorescence of nuclei, which are bright on dark: most fields are grey or bright, with dark places. "
            "Is it transmitted light (brightfield, phase contrast), or inverted? What was found is hardly nuclei: name "
            "the channel that shows them by --nucleus, or take cells found elsewhere with --labels"
        )


def _ill_fitting(size: int, binning: int, diameters: Mapping[str, float]) -> Iterator[str]:
    """Say when crops are far too small or too large for the cells on some plates, once for all."""
    small = {plate: own for plate, own in diameters.items() if size < _ROOMY * own}
    large = {plate: own for plate, own in diameters.items() if size > LOST * own}
    for plates, what in ((small, "cells are cut off"), (large, "each shows many cells")):
        if plates:
            diameter = float(np.median(list(plates.values())))
            more = f" and {len(plates) - 1} more" if len(plates) > 1 else ""
            yield (
                f"plate {next(iter(plates))}{more}: nuclei are usually {diameter:.0f} px across and crops {size} px: "
                f"{what}. {_advice(diameter)} would suit them{_binned_advice(diameter, binning)}"
            )


def _unlike_plates(diameters: Mapping[str, float]) -> Iterator[str]:
    """Say when nuclei are far wider on one plate than on another."""
    if diameters:
        width = itemgetter(1)
        one, narrow = min(diameters.items(), key=width)
        other, wide = max(diameters.items(), key=width)
        told = unlike_nuclei(wide, narrow, where=f"on plate {other}", of=f"on plate {one}")
        yield from filter(None, [told])


def _dull(sharpest: str, dull: Mapping[str, float]) -> Iterator[str]:
    """Say when plates are as a whole far less sharp than another, since fields are judged by their own plate."""
    for plate, share in dull.items():
        yield (
            f"plate {plate}: its cells are {share:.2f} times as sharp as those of plate {sharpest}: out of focus as a "
            "whole? They are kept, since cells are judged by what is usual on their plate; leave it out of the index "
            "where it is no good"
        )


def _overexposed(saturated: Mapping[str, np.ndarray], channels: Sequence[str]) -> Iterator[str]:
    """Say in which channels (C,) of which plates cells are usually at the camera's end, which none is dropped for."""
    for channel, shares in zip(channels, zip(*saturated.values(), strict=True), strict=False):
        full = {p: s for p, s in zip(saturated, shares, strict=True) if s > _FULL}
        if full:
            yield (
                f"channel {channel} of plate {listed([*full], most=_SAID)}: in the usual cell "
                f"{100 * max(full.values()):.0f} % of the pixels are at the camera's end, so that what is brighter "
                "looks alike there. Expose it less, or leave it out by naming the others with --channel"
            )


def _dusty(dust: Mapping[str, tuple[float, float, int]]) -> Iterator[str]:
    """Say on which plates most fields have an object at one place."""
    for plate, (y, x, fields) in dust.items():
        yield (
            f"plate {plate}: {fields} of {ENOUGH_FIELDS} fields that were looked at have an object at row {y:.0f}, "
            f"column {x:.0f}: dust on the camera or lens, or the same images or labels several times? It counts as a "
            "cell of each field"
        )


def _advice(diameter: float) -> str:
    """Say which view and crops show cells whose nuclei have this diameter."""
    view = view_for(diameter)
    return f"A view (the protocol's crop.size) of {view} px, and crops of {stored_size(view)} px (--size),"


def _binned_advice(diameter: float, binning: int) -> str:
    """Say which binning spares time and room where views would be wide; nothing where it spares none."""
    wanted = VIEW * diameter
    by = int(wanted // (_WIDE / 2))
    if wanted < _WIDE or binning * by > MOST_BINNED:
        return ""
    view = view_for(diameter / by)
    return (
        f"; or binned by --binning {binning * by} a view of {view} px, and crops of {stored_size(view)} "
        f"px, in 1/{by**2} of the time and room"
    )

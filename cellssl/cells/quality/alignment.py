"""Whether channels lie on the nuclei: seen in the mean of many cells, which has lost all that is chance."""

from collections.abc import Iterator, Mapping

import numpy as np

from cellssl.cells.quality.usual import Usual, is_bare
from cellssl.crops import Crops
from cellssl.crops.batches import batches, evenly
from cellssl.framing import diameter_of
from cellssl.words import listed

_ENOUGH, _MOST = 500, 1000  # cells of a plate, evenly over it
_ALL = "all plates together"
_SAID = 10  # plates are named one by one up to so many
_PARTS = 4  # means, of cells in turn: what is not chance they agree on
# Of two means: aligned channels of two real plates had 0.9 and more, one mirrored against the nuclei 0.12.
_ALIKE = 0.4
_OFF = (2.0, 0.1)  # px, and diameters of a nucleus: less is a camera's usual error
_SURE = 2.0  # times by how much the parts differ


def misplaced_channels(crops: Crops, usual: Mapping[str, Usual]) -> Iterator[str]:
    """Say which channels lie beside the nuclei, or do not lie with them at all, and on which plates.

    The mean cell looks the same turned by half a turn; where a channel's mean does so about another place than
    the nuclei's, the channel is shifted. Where the means of two halves of the cells have nothing in common,
    it does not follow the nuclei. Plates of fewer than 500 cells are looked at together.

    Parameters
    ----------
    crops : Crops
        N cells.
    usual : mapping
        What is usual on each of their plates.
    """
    faults: dict[tuple[str, str], list[str]] = {}
    middle = np.full(2, (crops.size - 1) / 2)
    for plate, rows in _looked_at(crops).items():
        typical = usual.get(plate, next(iter(usual.values())))
        means = _mean_cells(crops, rows)
        centres = np.array([[_centre(channel) for channel in part] for part in means])
        for number, channel in enumerate(crops.channels):
            if is_bare(typical, number):
                continue
            nuclei = number == typical.nucleus
            beside = centres[:, number] - (middle if nuclei else centres[:, typical.nucleus])
            sides = _describe_shift(beside, diameter_of(typical.area))
            fault = _describe_fault(sides, alike=_are_alike(means[:, number]), nuclei=nuclei)
            if fault:
                faults.setdefault((channel, fault), []).append(plate)
    for (channel, fault), plates in faults.items():
        where = (
            _ALL
            if plates == [_ALL]
            else f"plate{'s' * (len(plates) > 1)} {listed(plates, most=_SAID)}"
        )
        yield f"channel {channel} of {where}: in the mean of many cells it {fault}"


def _looked_at(crops: Crops) -> dict[str, np.ndarray]:
    """Choose cells evenly over each plate that has enough; over all together where none has."""
    enough = {plate: own for plate, own in crops.rows_by_plate().items() if len(own) >= _ENOUGH}
    if not enough and len(crops) >= _ENOUGH:
        enough = {_ALL: np.arange(len(crops))}
    return {plate: own[evenly(len(own), _MOST)] for plate, own in enough.items()}


def _mean_cells(crops: Crops, rows: np.ndarray) -> np.ndarray:
    """Give the mean (4, C, H, W) of every fourth cell."""
    sums = np.zeros((_PARTS, *crops.shape[1:]))
    for part in range(_PARTS):
        own = rows[part::_PARTS]
        for batch in batches(len(own)):
            sums[part] += crops.read(own[batch]).sum(0, dtype=np.float64)
        sums[part] /= len(own)
    return sums


def _describe_fault(sides: str, *, alike: bool, nuclei: bool) -> str:
    """Say how a channel lies beside the nuclei, or these in the crops that were cut around them; "" where well."""
    if alike and not sides:
        return ""
    if nuclei:
        what = f"lies {sides} of the middle" if alike else "shows no nucleus in the middle"
        return f"{what}. Do the labels, or the places of the cells, belong to these images as they lie?"
    if not alike:
        return (
            "shows nothing that lies with the nuclei. Is it mirrored or turned against them, of other fields, or a "
            "stain that does not follow cells?"
        )
    return (
        f"lies {sides} of the nuclei. Are the cameras aligned? Register the images before cropping; a protocol's "
        "`misregistration` makes an encoder blind to such shifts, where they differ between plates"
    )


def _are_alike(means: np.ndarray) -> bool:
    """Say whether two halves of the cells have a mean in common."""
    halves = means[::2].mean(0).ravel(), means[1::2].mean(0).ravel()
    return bool(min(map(np.ptp, halves)) > 0 and np.corrcoef(*halves)[0, 1] >= _ALIKE)


def _describe_shift(beside: np.ndarray, diameter: float) -> str:
    """Say how far off, and on which sides, places (y, x) are; "" where that is little, or they do not agree."""
    y, x = np.median(beside, axis=0)
    if np.hypot(y, x) <= max(_OFF[0], _OFF[1] * diameter, _SURE * np.ptp(beside, axis=0).max()):
        return ""
    down, right = ("below" if y > 0 else "above"), ("right" if x > 0 else "left")
    return " and ".join(
        f"{abs(by):.0f} px {side}" for by, side in ((y, down), (x, right)) if abs(by) >= 1
    )


def _centre(mean: np.ndarray) -> np.ndarray:
    """Give the place (y, x) about which a picture (H, W) looks most alike when it is turned by half a turn."""
    brim = np.concatenate([mean[0], mean[-1], mean[:, 0], mean[:, -1]])
    above = mean - np.median(brim)
    full = [2 * side - 1 for side in mean.shape]
    alike = np.fft.irfft2(np.fft.rfft2(above, full) ** 2, full)  # with itself, turned
    return np.array(np.unravel_index(alike.argmax(), alike.shape)) / 2

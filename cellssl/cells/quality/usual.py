"""What is usual on a plate: by it its cells and fields are judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellssl.cells.quality.measures import MEASURES
from cellssl.cells.segmentation.labels import find_nucleus_channel
from cellssl.errors import PlateError

_BARE = 0.8  # of a cell's variance is noise: nothing is there
_FIELDS = 8  # fewer fields do not tell how their backgrounds spread
_ENOUGH = 200  # cells make a plate's own medians; plates with fewer are judged by all plates'
_TRIFLE = 1e-3  # of the largest background, for images of fractions
TINY = 1e-6  # of what has a logarithm


@dataclass(frozen=True)
class Usual:
    """What is usual on a plate: medians over its cells and fields.

    Attributes
    ----------
    area : float
        Of a nucleus, in pixels; 0 where areas are not known.
    noise, sharpness, saturated : ndarray
        (C,) of a cell.
    background : ndarray
        (C,) of a field.
    spread : ndarray
        (C,) robust standard deviation (1.4826 MAD) of the logarithm of the fields' backgrounds;
        infinite where there are too few fields to tell.
    nucleus : int
        Number of the channel that shows nuclei.
    floor : float
        Backgrounds below this are taken for it: one grey value, where they are whole numbers.
    """

    area: float
    noise: np.ndarray
    sharpness: np.ndarray
    saturated: np.ndarray
    background: np.ndarray
    spread: np.ndarray
    nucleus: int
    floor: float = 1.0

    @classmethod
    def of(
        cls,
        areas: np.ndarray,
        quality: np.ndarray,
        backgrounds: np.ndarray,
        channels: Sequence[str],
        nucleus: str | None = None,
    ) -> "Usual":
        """Take the medians of n cells and f fields.

        Parameters
        ----------
        areas : ndarray
            (n,) of the nuclei in pixels; NaN where one is not known.
        quality : ndarray
            (n, 3 C) as `measure_cells` gives it.
        backgrounds : ndarray
            (f, C); f may be 0.
        channels : sequence of str
            C names.
        nucleus : str, optional
            The one that shows nuclei; by default the one named like a DNA stain, else the least
            noisy.
        """
        count = len(channels)
        known = areas[~np.isnan(areas)]
        noise, sharpness, saturated = (
            np.split(np.median(quality, axis=0), len(MEASURES))
            if len(quality)
            else np.zeros((len(MEASURES), count))
        )
        floor = _lowest(backgrounds)
        light = np.log(np.maximum(backgrounds, floor)) if len(backgrounds) else np.zeros((1, count))
        centre = np.median(light, axis=0)
        spread = 1.4826 * np.median(np.abs(light - centre), axis=0)
        try:
            shown = find_nucleus_channel(channels, nucleus)
        except PlateError:
            shown = int(noise.argmin())
        return cls(
            area=float(np.median(known)) if len(known) else 0.0,
            noise=noise,
            sharpness=sharpness,
            saturated=saturated,
            background=np.exp(centre),
            floor=floor,
            spread=spread if len(light) >= _FIELDS else np.full(count, np.inf),
            nucleus=shown,
        )


def usual_by_plate(
    plates: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    channels: Sequence[str],
    nucleus: str | None = None,
) -> dict[str, Usual]:
    """Measure what is usual on each plate.

    Medians of fewer than 200 cells say little, and on a plate whose channel failed noise is usual:
    such plates are judged by all together, and nowhere is more noise usual than over all.

    Parameters
    ----------
    plates : mapping
        Of each plate: areas (n,), quality (n, 3 C), backgrounds (f, C).
    channels, nucleus
        As `Usual.of` takes them.
    """
    if not plates:
        return {}
    areas, quality, backgrounds = (
        np.concatenate(arrays) for arrays in zip(*plates.values(), strict=True)
    )
    overall = Usual.of(areas, quality, backgrounds, channels, nucleus)
    result = {}
    for plate, measured in plates.items():
        own = Usual.of(*measured, channels, nucleus)
        cell = own if len(measured[0]) >= _ENOUGH else overall
        result[plate] = replace(
            own,
            area=cell.area,
            noise=np.minimum(cell.noise, overall.noise),
            sharpness=cell.sharpness,
            nucleus=cell.nucleus,
        )
    return result


def is_bare(usual: Usual, channel: int) -> bool:
    """Say whether a channel shows nothing but noise in the usual cell."""
    return bool(usual.noise[channel] > _BARE)


def bare_channels(usual: Mapping[str, Usual], channels: Sequence[str]) -> Iterator[str]:
    """Say which channels show nothing in the usual cell of any plate, for which none is dropped."""
    for number, channel in enumerate(channels):
        if usual and all(is_bare(own, number) for own in usual.values()):
            yield (
                f"channel {channel} shows nothing but noise in the usual cell: no stain, no light, other images or "
                "labels? Cells are kept, since all are alike in it; leave it out by naming the others with --channel "
                "(for crops that are there already, of `cellssl crops join`)"
            )


def _lowest(backgrounds: np.ndarray) -> float:
    """Give the smallest background (f, C) worth telling apart: a grey value, or a trifle of fractions."""
    if not len(backgrounds) or (backgrounds == np.rint(backgrounds)).all():
        return 1.0
    return max(_TRIFLE * float(np.abs(backgrounds).max()), TINY)

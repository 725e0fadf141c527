"""Which cells and fields are no good, and for what reason; judged by what is usual on their plate."""

from collections.abc import Mapping, Sequence

import numpy as np

from cellssl.cells.quality.measures import MEASURES
from cellssl.cells.quality.usual import TINY, Usual
from cellssl.errors import CropError, nearest

#: Every cell found is kept or dropped for the first of these that applies.
FIELD_REASONS = (
    "field_saturated",
    "field_debris",
    "field_focus",
    "field_dark",
    "field_illumination",
)
CELL_REASONS = ("fragment", "large", "noise", "saturated", "blurred")
REASONS = ("border", *FIELD_REASONS, *CELL_REASONS)

_FRAGMENT = 0.2  # of the usual nucleus area: less than half its diameter
_LARGE = 8.0  # of the usual nucleus area: three nuclei's diameter, and no nucleus
_NOISE = 0.5  # no more than half of the variance is shared by neighbours
# A channel whose usual noise is above this is dim on the whole plate: no cell's fault.
_FAINT = 0.25
_SATURATED = 0.25  # share of the middle of a crop
# Of the usual sharpness: of the nucleus, and over the channels (geometric mean).
_BLURRED = (0.35, 0.5)
_FIELD_SATURATED = 0.05  # share of the field
_FIELD_DEBRIS = 0.3  # share of what was found that is too large for nuclei
# Of the usual sharpness, by a field's median: of nucleus and channels together (geometric mean), and of
# each. At 10x nuclei stay half as sharp even far out of focus, since the noise in between does not blur.
_FIELD_FOCUS = (0.52, 0.6)
_FIELD_CELLS = 5  # fewer say nothing about the field's focus
_FIELD_LIGHT = 4.0  # times the usual background, or a fourth
_FIELD_SPREAD = 8.0  # and so many robust standard deviations away from it


def check_reasons(keep: Sequence[str]) -> None:
    """Make sure that these are reasons in spite of which a cell can be kept.

    Raises
    ------
    CropError
        When one is not; names the nearest.
    """
    choices = [reason for reason in REASONS if reason != "border"]
    if isinstance(keep, str):
        raise CropError(f"keep: got {keep!r}, wanted a list of reasons: [{keep!r}]")
    for name in keep:
        if name not in choices:
            raise CropError(
                f"cells cannot be kept in spite of {name!r}; the reasons are {', '.join(choices)}"
                f"{nearest(name, choices, listed=True)}"
            )


def judge_cells(areas: np.ndarray, quality: np.ndarray, usual: Usual) -> np.ndarray:
    """Give each cell the first of `CELL_REASONS` that applies, or "".

    *fragment* and *large*: less than a fifth, or more than eight times, of the usual nucleus area.
    *noise*: a channel holds nothing but noise, where the plate's other cells show something in it.
    *saturated*: over a quarter of the crop's middle is at the camera's end in a channel. *blurred*:
    far less sharp than is usual, in the nucleus and over all channels.

    Parameters
    ----------
    areas : ndarray
        (n,) of the nuclei in pixels.
    quality : ndarray
        (n, 3 C) as `measure_cells` gives it.
    usual : Usual
        Of the plate.

    Returns
    -------
    ndarray
        (n,) of str.
    """
    noise, _, saturated = np.split(quality, len(MEASURES), axis=1)
    nucleus, overall = _sharpness_beside(quality, usual)
    lit = usual.noise < _FAINT
    tests = {
        "fragment": areas < _FRAGMENT * usual.area,
        "large": (areas > _LARGE * usual.area) & (usual.area > 0),
        "noise": ((noise > _NOISE) & lit).any(axis=1),
        "saturated": (saturated > _SATURATED).any(axis=1),
        "blurred": (nucleus < _BLURRED[0]) & (overall < _BLURRED[1]),
    }
    return np.select(list(tests.values()), list(tests), default="")


def judge_field(
    areas: np.ndarray,
    quality: np.ndarray,
    background: np.ndarray,
    saturated: np.ndarray,
    usual: Usual,
) -> str:
    """Give the first of `FIELD_REASONS` that applies to a field, or "".

    *field_saturated*: over 5 % of a channel is at the camera's end. *field_debris*: 30 % of the
    area of what was cut is too large to be nuclei. *field_focus*: its cells' median sharpness is
    half of what is usual. *field_dark*: a channel was not lit, or not taken: its background is a
    fourth of what is usual on the plate, and far outside the plate's own spread, and its cells
    hold nothing but noise. *field_illumination*: a channel's background is four times what is
    usual on the plate, or a fourth, and far outside the plate's own spread.

    Parameters
    ----------
    areas, quality : ndarray
        (n,), (n, 3 C) of its cells.
    background, saturated : ndarray
        (C,), (C,) of the field.
    usual : Usual
        Of the plate.
    """
    if is_overexposed(saturated):
        return "field_saturated"
    if usual.area and areas[areas > _LARGE * usual.area].sum() > _FIELD_DEBRIS * areas.sum():
        return "field_debris"
    if len(quality) >= _FIELD_CELLS:
        nucleus, overall = (np.median(ratio) for ratio in _sharpness_beside(quality, usual))
        if _is_dull(nucleus, overall):
            return "field_focus"
    light = np.log(np.maximum(background, usual.floor)) - np.log(usual.background)
    away = np.abs(light) > np.maximum(np.log(_FIELD_LIGHT), _FIELD_SPREAD * usual.spread)
    noise, _, _ = np.split(quality, len(MEASURES), axis=1)
    if len(noise) and (away & (light < 0) & (np.median(noise, axis=0) > _NOISE)).any():
        return "field_dark"
    return "field_illumination" if away.any() else ""


def is_overexposed(saturated: np.ndarray) -> np.ndarray:
    """Say whether a field is at the camera's end in a channel, by the shares of its pixels that are: (…, C) → (…)."""
    return np.any(saturated > _FIELD_SATURATED, axis=-1)


def dull_plates(usual: Mapping[str, Usual]) -> tuple[str, dict[str, float]]:
    """Find plates that are out of focus as a whole, which their own medians cannot tell.

    Returns
    -------
    tuple of str and dict
        The sharpest plate; plate → sharpness beside it, of those that are as dull as a field out of
        focus is beside its plate.
    """
    logs = {
        plate: np.log(np.maximum(own.sharpness, TINY))
        for plate, own in usual.items()
        if own.sharpness.any()
    }
    if not logs:
        return "", {}
    sharpest = max(logs, key=lambda plate: float(logs[plate].mean()))
    dull = {}
    for plate, log in logs.items():
        beside = log - logs[sharpest]
        nucleus, overall = np.exp(beside[usual[plate].nucleus]), np.exp(beside.mean())
        if _is_dull(nucleus, overall):
            dull[plate] = float(np.sqrt(nucleus * overall))
    return sharpest, dull


def _is_dull(nucleus: float, overall: float) -> bool:
    """Say whether sharpness beside the usual is that of a field out of focus."""
    together, each = _FIELD_FOCUS
    return bool(np.sqrt(nucleus * overall) < together and max(nucleus, overall) < each)


def _sharpness_beside(quality: np.ndarray, usual: Usual) -> tuple[np.ndarray, np.ndarray]:
    """Give sharpness relative to the usual: (n,) of the nucleus, (n,) over the channels."""
    _, sharpness, _ = np.split(quality, len(MEASURES), axis=1)
    ratio = np.log(np.maximum(sharpness, TINY)) - np.log(np.maximum(usual.sharpness, TINY))
    return np.exp(ratio[:, usual.nucleus]), np.exp(ratio.mean(axis=1))

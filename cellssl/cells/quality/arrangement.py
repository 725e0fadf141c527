"""Wells whose channels stand in another order than those of the rest of their plate, by what their cells look like."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from cellssl.columns import WELL
from cellssl.crops import Crops
from cellssl.crops.batches import batches, evenly
from cellssl.words import listed

_CELLS = (8, 16)  # of a well: fewer say nothing, more say no more
_WELLS, _USUAL = 5, 3  # of a plate, and alike on it: fewer do not show what is usual
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # of a crop's pixels
_CLOSEST = 0.05  # how far the wells' logarithms spread at least
_FAR, _FARTHEST = 1.3, 8.0  # such spreads: what is nearer is usual, what is farther says no more
# How far a well is from the usual with its channels in another order, as part of how far it is as it stands.
# On eleven plates of BBBC021 (wells of five cells and more), one of FKHR's translocation and two simulated ones no
# well had less than 0.99, and of wells whose channels were exchanged more than half had less than 0.5.
_SURE, _LIKELY = 0.5, 0.7


def swapped_channels(crops: Crops) -> Iterator[str]:
    """Say on which plates some wells' channels look as if they stood in another order than in the others.

    Seen are the medians over a well's cells of each channel's brightness and texture, wherever in the crop: where the
    nuclei's channel is exchanged, cells were cut about something else. A treatment changes a channel; it does not make
    each of two look as the other does elsewhere.

    Parameters
    ----------
    crops : Crops
        N cells; plates of which fewer than five wells have eight are not looked at.
    """
    if len(crops.channels) < 2 or WELL not in crops.obs:
        return
    for plate, rows in crops.rows_by_plate().items():
        looks = _looks(crops, rows)
        if len(looks) >= _WELLS:
            yield from _say(plate, crops.channels, looks)


def _say(plate: str, channels: tuple[str, ...], looks: dict[str, np.ndarray]) -> Iterator[str]:
    """Say it of one plate, once for each order."""
    orders, parts = _orders(np.stack([*looks.values()]))
    wells = np.array([*looks])
    for order in sorted({tuple(order) for order in orders[parts < _SURE].tolist()}):
        own = wells[(orders == order).all(axis=1) & (parts < _LIKELY)].tolist()
        likeness = [
            f"{channels[n]} looks as {channels[there]} does elsewhere"
            for n, there in enumerate(order)
            if n != there
        ]
        yield (
            f"plate {plate}: in {listed(own, most=8)}, {listed(likeness)}. Were their channels taken, named or "
            "copied in another order? Index these wells by themselves with --channel OLD=NEW, and join the crops with "
            "`cellssl crops join`"
        )


def _looks(crops: Crops, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Measure the usual cell (C, F) of each well that has enough cells."""
    wells = pd.Series(crops.obs[WELL].to_numpy()[rows].astype(str))
    few, many = _CELLS
    chosen = {
        str(well): rows[own[evenly(len(own), many)]]
        for well, own in wells.groupby(wells).indices.items()
        if len(own) >= few and well
    }
    if len(chosen) < _WELLS:
        return {}
    every = np.concatenate([*chosen.values()])
    measured = np.concatenate([_measure(crops.read(every[part])) for part in batches(len(every))])
    ends = np.cumsum([len(own) for own in chosen.values()])[:-1]
    return {
        well: np.median(own, axis=0)
        for well, own in zip(chosen, np.split(measured, ends), strict=True)
    }


def _measure(images: np.ndarray) -> np.ndarray:
    """Measure cells (n, C, H, W): logarithms of quantiles, of these beside their mean, of deviation and roughness."""
    floor = 1.0 if images.dtype.kind in "iu" else 1e-4  # one grey value
    pixels = images[:, :, ::2].astype(np.float32).clip(0)  # every second row says enough
    some = pixels[..., ::2].reshape(*images.shape[:2], -1)
    bright = np.log(np.quantile(some, _QUANTILES, axis=-1).transpose(1, 2, 0) + floor)
    spread = np.log(pixels.std((2, 3)) + floor)[..., None]
    rough = np.log(np.abs(np.diff(pixels)).mean((2, 3)) + floor)[..., None] - spread
    return np.concatenate([bright, bright - bright.mean(-1, keepdims=True), spread, rough], axis=-1)


def _orders(looks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the order (W, C) in which each well's channels are likest the usual, and how far it then is.

    The distance (W,) is a part of that of the channels as they stand. What is usual is seen in the wells that stand
    as the one in the midst of all does.

    Parameters
    ----------
    looks : ndarray
        (W, C, F).
    """
    own = np.arange(looks.shape[1])
    midst = looks[np.abs(looks - np.median(looks, axis=0)).sum(axis=(1, 2)).argmin()]
    alike = [(_likest(well) == own).all() for well in _distances(looks, midst, 1.0)]
    usual = np.median(looks[alike], axis=0)
    spread = 1.4826 * np.median(np.abs(looks[alike] - usual), axis=0)
    distances = _distances(looks, usual, spread.clip(min=_CLOSEST))
    orders = np.stack([_likest(well) for well in distances])
    moved = orders != own
    there = np.take_along_axis(distances, orders[:, :, None], axis=2)[..., 0]
    far, near = (np.where(moved, of, 0).sum(axis=1) for of in (distances[:, own, own], there))
    told = (far > _FAR * moved.sum(axis=1)) & (sum(alike) >= _USUAL)
    return orders, np.divide(near, far, out=np.ones_like(far), where=told)


def _distances(looks: np.ndarray, usual: np.ndarray, spread: float | np.ndarray) -> np.ndarray:
    """Give how far each well's channels are from each usual one: (W, C, C)."""
    return (np.abs(looks[:, :, None] - usual) / spread).clip(max=_FARTHEST).mean(axis=-1)


def _likest(distances: np.ndarray) -> np.ndarray:
    """Give for each channel (C, C) the usual one that it is likest, each once."""
    return linear_sum_assignment(distances)[1]

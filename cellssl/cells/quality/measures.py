"""How good the pictures of cells and fields are: noise, sharpness, saturation, background."""

from collections.abc import Sequence

import cv2
import numpy as np

MEASURES = ("Noise", "Sharpness", "Saturated")
# What cameras give at most; of signed 16 bits 15 are left.
_FULL = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 15, 16))
# The same of 10 to 14 bits that were shifted to the upper end of 16.
_FULL += tuple((2**bits - 1) << (16 - bits) for bits in (10, 12, 14))
_LEAST = 24  # px: a smaller middle than this would say little
_STRIDE = 8  # px: a field's background is found on as many fewer pixels
_BINOMIAL = np.array([1, 2, 1], np.float32)
_BEND = np.array([1, -2, 1], np.float32)
# Of white noise: its power in the Laplacian of the binomial's, over that in the binomial's or the bend's.
_NOISY = 104 / 36
_HIDDEN = 0.05  # of the noise's power: less is not told from none on the pixels of a cell
_BATCH = 64  # cells measured at once, so that their pixels stay in the processor's cache


def quality_columns(channels: Sequence[str]) -> list[str]:
    """Name what `measure_cells` gives: ``Quality_<measure>_<channel>``.

    Examples
    --------
    >>> quality_columns(["DNA"])
    ['Quality_Noise_DNA', 'Quality_Sharpness_DNA', 'Quality_Saturated_DNA']
    """
    return [f"Quality_{measure}_{channel}" for measure in MEASURES for channel in channels]


def middle(size: int) -> slice:
    """Give the middle half of a crop's side, or `_LEAST` pixels of it: where the cell itself is.

    Examples
    --------
    >>> middle(96), middle(20)
    (slice(24, 72, None), slice(0, 20, None))
    """
    side = min(size, max(_LEAST, size // 2))
    first = (size - side) // 2
    return slice(first, first + side)


def saturation_level(pixels: np.ndarray) -> float:
    """Give the value at which the camera was full, or infinity where none of `pixels` reached it.

    Cameras of 10 to 14 bits write into files of 16, at their lower or upper end: a largest value of
    just 4,095, or of 16 times as much, is such an end. Fractions end at 1.
    """
    top = float(pixels.max(initial=0))
    return top if top in _FULL or (top == 1 and pixels.dtype.kind == "f") else np.inf


def measure_cells(images: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Measure the pictures of some cells.

    *Noise* is the share of the variance that neighbouring pixels do not have in common (one minus
    their correlation): 0.01 to 0.1 for a cell, 0.8 to 1 for a channel that holds nothing but noise.
    *Sharpness* is the contrast of fine detail (Laplacian after a 3 × 3 binomial smoothing) relative
    to that of the whole, after Pertuz et al. [1]_, both without the camera's noise, after Immerkær
    [2]_; blurring lowers it, and neither dim stains nor a field far out of focus, in which hardly
    anything but noise is fine, look sharp. *Saturated* is the share of pixels at the camera's upper
    end.

    Parameters
    ----------
    images : ndarray
        (n, C, S, S) of any real type, raw; best the `middle` of crops.
    levels : sequence of float
        C values from which on a pixel is saturated.

    Returns
    -------
    ndarray
        (n, 3 C) float32 in the order of `quality_columns`.

    References
    ----------
    .. [1] Pertuz, Puig and Garcia, Pattern Recognition 46 (2013) 1415-1432 (LAP4).
    .. [2] Immerkær, Computer Vision and Image Understanding 64 (1996) 300-302.
    """
    rows = [np.empty((0, len(MEASURES) * images.shape[1]), np.float32)]
    for first in range(0, len(images), _BATCH):
        batch = images[first : first + _BATCH]
        centred = _centred(batch.astype(np.float32))
        measures = (_noise(centred), _sharpness(centred), _saturated(batch, levels))
        rows.append(np.concatenate(measures, axis=1))
    return np.concatenate(rows)


def measure_field(
    field: np.ndarray, levels: Sequence[float], *, outside: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Measure a field (C, Y, X): background, and share of saturated pixels.

    Parameters
    ----------
    field : ndarray
        (C, Y, X) raw.
    levels : sequence of float
        C values from which on a pixel is saturated.
    outside : ndarray, optional
        (Y, X) bool: what shows no background.

    Returns
    -------
    tuple of ndarray
        (C,) float32 each: the lowest percent's upper end, of every eighth pixel and row; the share.
    """
    some = np.s_[::_STRIDE, ::_STRIDE]
    ground = field[:, *some].reshape(len(field), -1)
    if outside is not None and not outside[some].all():
        ground = ground[:, ~outside[some].ravel()]
    background = np.percentile(ground, 1, axis=1, method="lower")
    return background.astype(np.float32), _saturated(field[None], levels)[0]


def _centred(images: np.ndarray) -> np.ndarray:
    """Subtract from each picture (n, C, …) its mean."""
    return images - images.mean((2, 3), keepdims=True)


def _power(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Sum the products of the pixels of pictures: (n, C)."""
    return np.einsum("ncyx,ncyx->nc", images, others)


def _noise(centred: np.ndarray) -> np.ndarray:
    """Give one minus the correlation of neighbours, 1 for a flat picture: (n, C)."""
    variance = _power(centred, centred)
    pairs = _power(centred[..., 1:], centred[..., :-1])
    pairs += _power(centred[..., 1:, :], centred[..., :-1, :])
    side = centred.shape[-1]
    scale = side / max(2 * (side - 1), 1)  # sums of fewer pairs than pixels
    return 1 - scale * np.divide(pairs, variance, out=np.zeros_like(pairs), where=variance > 0)


def _sharpness(centred: np.ndarray) -> np.ndarray:
    """Give the standard deviation of the smoothed Laplacian over that of the smoothed: (n, C)."""
    tall = centred.reshape(-1, centred.shape[-1])  # a pile of pictures, whose edges are left out
    fine = cv2.sepFilter2D(tall, -1, _BINOMIAL, _BINOMIAL)
    detail = cv2.Laplacian(fine, -1).reshape(centred.shape)[..., 2:-2, 2:-2]
    bends = cv2.sepFilter2D(tall, -1, _BEND, _BEND).reshape(centred.shape)[..., 1:-1, 1:-1]
    noise = _variance(bends)  # neither edges nor slopes are bent both ways
    whole = _beyond(_variance(fine.reshape(centred.shape)[..., 1:-1, 1:-1]), noise)
    detailed = _beyond(_variance(detail), _NOISY * noise)
    return np.sqrt(np.divide(detailed, whole, out=np.zeros_like(whole), where=whole > 0))


def _beyond(power: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Give what of a power is not noise, or as much as noise may hide."""
    return np.maximum(power - noise, _HIDDEN * noise)


def _variance(images: np.ndarray) -> np.ndarray:
    """Give the variance of pictures whose means are near 0: (n, C)."""
    size = images[0, 0].size
    variance = _power(images, images) / size - (np.einsum("ncyx->nc", images) / size) ** 2
    return np.maximum(variance, 0)


def _saturated(images: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Give the share of pixels at the camera's end: (n, C); most cameras are nowhere at theirs."""
    shares = np.zeros(images.shape[:2], np.float32)
    for channel, level in enumerate(levels):
        if np.isfinite(level):
            full = images.dtype.type(level)  # beside a float all pixels would become floats
            shares[:, channel] = (images[:, channel] >= full).mean((1, 2))
    return shares

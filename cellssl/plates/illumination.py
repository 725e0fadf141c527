"""Uneven illumination of a plate's fields: estimated from many of them, divided out of each.

The lamp and the optics light the middle of a field more than its corners, in each channel in its own
way. What all fields of a plate have in common is not cells: the median over many fields, smoothed,
is the illumination (the retrospective estimate of CellProfiler's CorrectIlluminationCalculate [1]_,
"regular", median, Gaussian; Singh et al. [2]_ show that it pays).

Estimates are small images (`GRID` × `GRID` for any field), since illumination changes slowly.

.. [1] Jones et al., Lecture Notes in Computer Science 3765 (2005) 235-242.
.. [2] Singh, Bray, Jones and Carpenter, Journal of Microscopy 256 (2014) 231-236.
"""

import importlib
import importlib.metadata
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, get_args

import cv2
import numpy as np

from cellssl.errors import PlateError

_LOG = logging.getLogger(__name__)

Method = Literal["median", "basicpy", "none"]
METHODS: tuple[Method, ...] = get_args(Method)
GRID = 32  # blocks along each side of a field
FEWEST = 16  # fields: the median of fewer still shows single cells
_SPLITS = 8  # of the fields into halves
_LIMITS = (1 / 3, 3.0)  # of the mean: no lamp is more uneven; a background near 0 looks so


def block_means(field: np.ndarray) -> np.ndarray:
    """Average a field over `GRID` × `GRID` equal blocks.

    Parameters
    ----------
    field : ndarray
        (C, Y, X), each side at least `GRID`.

    Returns
    -------
    ndarray
        (C, GRID, GRID) float32.

    Raises
    ------
    PlateError
        When the field is smaller.
    """
    if min(field.shape[1:]) < GRID:
        raise PlateError(
            f"a field of {field.shape[1]} × {field.shape[2]} pixels is too small to estimate its "
            f"illumination ({GRID} pixels a side at least): leave it uncorrected "
            "(--illumination none)."
        )
    return np.stack(
        [
            cv2.resize(channel.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
            for channel in field
        ]
    )


def estimate(
    blocks: np.ndarray, method: Method = "median", *, names: Sequence[str] | None = None
) -> np.ndarray:
    """Estimate the illumination from the block means of a plate's fields.

    Parameters
    ----------
    blocks : ndarray
        (F, C, GRID, GRID), F fields.
    method : str
        ``median``: the median over the fields, smoothed: by planes fitted under a Gaussian, by a
        bowl (a polynomial of second degree), or to even light, whichever holds best between two
        halves of the fields; few fields bear no more than a bowl, or nothing. ``basicpy``:
        BaSiC [3]_ by the package of that name, where it is installed.
    names : sequence of str, optional
        What the C channels are called in messages.

    Returns
    -------
    ndarray
        (C, GRID, GRID) float32, mean 1; ones where there is no light, or what there is cannot be a
        lamp's (below 0, or a third, or above three times its mean), which is said.

    Raises
    ------
    PlateError
        When there are fewer fields than `FEWEST`, or BaSiCPy is wanted and not installed.

    References
    ----------
    .. [3] Peng et al., Nature Communications 8 (2017) 14836.
    """
    if len(blocks) < FEWEST:
        raise PlateError(
            f"{len(blocks)} fields are too few to estimate illumination from; wanted {FEWEST}."
        )
    channels = range(blocks.shape[1])
    find = _basic if method == "basicpy" else _median
    found = [find(blocks[:, channel]) for channel in channels]
    flat = np.stack([_relative(light) for light in found])
    names = names or [f"channel {i + 1}" for i in channels]
    for name, before, light in zip(names, found, flat, strict=True):
        if before.mean() < 0:
            _LOG.warning(
                "%s is not corrected for illumination, since its usual pixel is below 0: export images without "
                "a sign to have it corrected",
                name,
            )
        if light.min() < _LIMITS[0] or light.max() > _LIMITS[1]:
            _LOG.warning(
                "the illumination of %s would run from %.2f to %.2f of its mean, which no lamp "
                "does (is its dark level subtracted already?): not corrected",
                *(name, light.min(), light.max()),
            )
            light[:] = 1
    return flat.astype(np.float32)


def _relative(light: np.ndarray) -> np.ndarray:
    """Divide by the mean; ones where there is no light at all."""
    mean = light.mean()
    return light / mean if mean > 0 else np.ones_like(light)


def _median(blocks: np.ndarray) -> np.ndarray:
    """Smooth the median over one channel's fields (F, h, w), as finely as it bears: (h, w).

    Light is what two halves of the fields have in common, and what only one of them shows is the
    cells that happened to lie there. So the smoothing is taken that, applied to one half, comes
    nearest to the other; over several ways to halve them, since two halves may be alike by chance.
    """
    random = np.random.default_rng(0)
    halves = []
    for _ in range(_SPLITS):
        order = random.permutation(len(blocks))
        one, two = (
            _relative(np.median(blocks[half], axis=0)) for half in (order[::2], order[1::2])
        )
        halves += [(one, two), (two, one)]

    def error(smooth: Callable[[np.ndarray], np.ndarray]) -> float:
        return float(np.mean([np.square(smooth(one) - two).mean() for one, two in halves]))

    return min(_SMOOTHINGS, key=error)(np.median(blocks, axis=0))


def _even(image: np.ndarray) -> np.ndarray:
    """Give the mean everywhere."""
    return np.full_like(image, image.mean())


def _bowl(image: np.ndarray) -> np.ndarray:
    """Fit a polynomial of second degree."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in image.shape), indexing="ij")
    terms = np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=-1).reshape(-1, 6)
    weights = np.linalg.lstsq(terms, image.ravel(), rcond=None)[0]
    return (terms @ weights).reshape(image.shape)


def _planes(image: np.ndarray, *, sigma: float) -> np.ndarray:
    """Give at each place the plane that fits best there, weighted by a Gaussian of so many blocks.

    Unlike the Gaussian's mean, it does not flatten corners.
    """
    from scipy import ndimage  # the workers, which but divide light out, need not wait for it

    y, x = (np.asarray(axis, np.float64) for axis in np.indices(image.shape))
    terms: list[np.ndarray] = [np.ones_like(y), y, x]

    def weigh(values: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(values, sigma, mode="constant")

    normal = np.stack([np.stack([weigh(a * b) for a in terms], -1) for b in terms], -1)
    moments = np.stack([weigh(a * image) for a in terms], -1)
    planes = np.linalg.solve(normal, moments[..., None])[..., 0]
    return (planes * np.stack(terms, -1)).sum(-1)


_SMOOTHINGS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    _even,
    _bowl,
    *(partial(_planes, sigma=sigma) for sigma in (8.0, 5.0, 3.0)),
)


def check_method(method: str) -> None:
    """Make sure that a method exists and its package is there.

    Raises
    ------
    PlateError
        When not.
    """
    if method not in METHODS:
        raise PlateError(
            f"no way {method!r} to correct illumination; there are {', '.join(METHODS)}."
        )
    if method == "basicpy":
        try:
            importlib.metadata.version("basicpy")
        except importlib.metadata.PackageNotFoundError as error:
            raise PlateError(
                "BaSiCPy is not installed. Its 2.0.0 asks for scipy < 1.13, which knows no numpy 2, but "
                "works with later ones: `pip install --no-deps basicpy torch-dct 'hyperactive<5' "
                "gradient-free-optimizers tqdm`. Or take --illumination median."
            ) from error


def _basic(images: np.ndarray) -> np.ndarray:
    """Estimate one channel's flat field (GRID, GRID) by BaSiC from (F, GRID, GRID)."""
    check_method("basicpy")
    model = importlib.import_module("basicpy").BaSiC(get_darkfield=False)
    model.fit(images)
    return np.asarray(model.flatfield, np.float32)


def expand(flat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Enlarge an estimate (C, GRID, GRID) to the size of a field: (C, Y, X) float32."""
    size = (shape[1], shape[0])
    return np.stack([cv2.resize(channel, size, interpolation=cv2.INTER_LINEAR) for channel in flat])


def correct(field: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Divide a field by its illumination, in its own type (whole numbers are rounded and clipped).

    Parameters
    ----------
    field : ndarray
        (C, Y, X).
    light : ndarray
        (C, Y, X) as `expand` gives it.

    Returns
    -------
    ndarray
        (C, Y, X) of the field's type; on average as bright as before.
    """
    even = np.divide(field, light, dtype=np.float32, casting="same_kind")
    if field.dtype.kind in "ui":
        limits = np.iinfo(field.dtype)
        np.rint(even, out=even)
        np.clip(even, limits.min, limits.max, out=even)
    return even.astype(field.dtype)

"""What can be seen of a picture without knowing what it shows: brightness, size, shape, slant.

Measures for reading clusters, not for making them: each is a number with a plain name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from cellssl.cells.segmentation.labels import find_nucleus_channel
from cellssl.errors import PlateError

FEWEST = 4  # pixels of an object: of fewer there is no shape
# What a high and a low value of each measure looks like.
_WORDS = {
    "brightness": ("bright", "dim"),
    "unevenness": ("uneven", "even"),
    "area": ("large", "small"),
    "elongation": ("long", "round"),
    "slant": ("leaning right", "leaning left"),
    "thickness": ("thick", "thin"),
}


def measure_appearance(
    images: np.ndarray,
    channels: Sequence[str],
    *,
    masks: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Measure what a reader sees of each picture.

    Every channel has a ``brightness`` (mean) and an ``unevenness`` (standard deviation over mean) over
    the whole picture. Objects have an ``area`` in pixels and an
    ``elongation`` (long axis over short axis). Objects are the masks where there are some; else the
    nucleus, which is the part nearest to the middle of what is brighter than Otsu's threshold of
    the channel named like a DNA stain; else, as in a drawing, all that is brighter than Otsu's
    threshold of the channels' mean. The last alone has a ``slant``, the shear that its intensities' second
    moments show, in degrees, positive where the top leans to the right; and a ``thickness``, the
    width in pixels of the stroke whose pixels lie as far from its rim on average.

    Parameters
    ----------
    images : (N, C, H, W)
        Scaled to [0, 1].
    channels : sequence of str
        Names of the C channels; a single one is not named in the table.
    masks : mapping, optional
        Name (``nucleus``, ``cell``) → (N, H, W) uint8, 1 where this object is.

    Returns
    -------
    DataFrame
        N rows, a column each property: ``area``, ``nucleus area``, ``Actin brightness``, …; NaN
        where a picture shows no object.

    Examples
    --------
    >>> picture = np.zeros((1, 1, 16, 16))
    >>> picture[0, 0, 3:13, 6:10] = 1  # an upright bar of 10 × 4 pixels
    >>> measure_appearance(picture, ["Grey"])["area"].tolist()
    [40.0]
    """
    if images.ndim != 4 or images.shape[1] != len(channels):
        raise PlateError(
            f"got pictures of shape {images.shape} for the channels {', '.join(channels)}; wanted "
            "(N, C, H, W)"
        )
    table = {}
    for number, name in enumerate(channels):
        own = images[:, number]
        who = f"{name} " if len(channels) > 1 else ""
        mean = own.mean(axis=(1, 2), dtype=np.float64)
        table[f"{who}brightness"] = mean
        table[f"{who}unevenness"] = own.std(axis=(1, 2)) / np.where(mean > 0, mean, np.nan)
    shapes = [_shapes(*one) for one in _pictures(images, channels, masks or {})]
    return pd.DataFrame(table).join(pd.DataFrame(shapes, dtype=np.float64)).astype(np.float64)


def describe_property(name: str, *, high: bool) -> str:
    """Say in words what a high or low value of a property looks like.

    Examples
    --------
    >>> describe_property("nucleus area", high=True), describe_property("slant", high=False)
    ('large nucleus', 'leaning left')
    """
    who, _, measure = name.rpartition(" ")
    words = _WORDS.get(measure, (f"high {measure}", f"low {measure}"))
    return f"{words[0 if high else 1]} {who}".strip()


def _pictures(
    images: np.ndarray, channels: Sequence[str], masks: Mapping[str, np.ndarray]
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Give each picture's (H, W) intensities and objects by name; "" is a drawing's."""
    nucleus = None
    with suppress(PlateError):  # of a drawing, or cells without a DNA stain
        nucleus = find_nucleus_channel(channels, None)
    for row, image in enumerate(images):
        if masks:
            yield image.mean(axis=0), {name: mask[row] == 1 for name, mask in masks.items()}
        elif nucleus is not None:
            yield image[nucleus], {"nucleus": _middle_part(_foreground(image[nucleus]))}
        else:
            mean = image.mean(axis=0)
            yield mean, {"": _foreground(mean)}


def _foreground(image: np.ndarray) -> np.ndarray:
    """Tell what is brighter than Otsu's threshold; nothing where all pixels are alike."""
    from skimage.filters import threshold_otsu  # half a second that others need not wait for

    return image > threshold_otsu(image) if np.ptp(image) > 0 else np.zeros(image.shape, bool)


def _middle_part(inside: np.ndarray) -> np.ndarray:
    """Keep the connected part that comes nearest to the picture's middle."""
    from skimage.measure import label

    parts = label(inside)
    y, x = np.nonzero(inside)
    if not len(y):
        return inside
    middle = (np.array(inside.shape) - 1) / 2
    nearest = np.argmin((y - middle[0]) ** 2 + (x - middle[1]) ** 2)
    return parts == parts[y[nearest], x[nearest]]


def _shapes(image: np.ndarray, objects: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Measure one picture's objects."""
    found = {}
    for name, inside in objects.items():
        who = f"{name} " if name else ""
        area = int(inside.sum())
        found[f"{who}area"] = float(area) if area >= FEWEST else np.nan
        found[f"{who}elongation"] = _elongation(inside) if area >= FEWEST else np.nan
        if not name:
            found["slant"] = _slant(image, inside) if area >= FEWEST else np.nan
            found["thickness"] = _thickness(inside) if area >= FEWEST else np.nan
    return found


def _elongation(inside: np.ndarray) -> float:
    """Long axis over short axis of the ellipse with the same second moments."""
    variance = np.cov(np.stack(np.nonzero(inside))) + np.eye(2) / 12  # a pixel is a square
    short, long = np.linalg.eigvalsh(variance)
    return float(np.sqrt(long / short))


def _slant(image: np.ndarray, inside: np.ndarray) -> float:
    """Shear in degrees, as second moments of the object's intensities show it."""
    y, x = np.nonzero(inside)
    weights = image[inside]
    centred = [axis - np.average(axis, weights=weights) for axis in (y, x)]
    across = np.average(centred[0] * centred[1], weights=weights)
    upright = np.average(centred[0] ** 2, weights=weights)
    # Rows are counted downwards: what moves to the left on its way down leans to the right.
    return float(np.degrees(np.arctan2(-across, upright))) if upright > 0 else np.nan


def _thickness(inside: np.ndarray) -> float:
    """Width in pixels of the stroke whose pixels lie as far from its rim on average."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(inside, 1)  # the picture's rim ends a stroke too
    # Distances to the nearest pixel outside, 1 at the rim, average (w + 2) / 4 in a stroke of w.
    return float(4 * distance_transform_edt(padded)[padded].mean() - 2)

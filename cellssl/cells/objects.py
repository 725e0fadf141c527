"""Cut the cells of one field out of it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cellssl.cells.labels import Labels

__all__ = ["FieldCells", "cut_cells"]

THIS, OTHER = 1, 2


@dataclass(frozen=True)
class FieldCells:
    """The n cells of a field whose window lies inside the image, in the order of their numbers.

    Attributes
    ----------
    images : ndarray
        (n, C, S, S) in the field's own type.
    masks : ndarray
        (n, M, S, S) uint8: 0 background, 1 this object, 2 others; M is 0 without masks, 1 for
        nuclei, 2 with cells.
    labels : ndarray
        (n,) int32 numbers in the label image.
    centers : ndarray
        (n, 2) float64 centroids of the nuclei: y, x.
    areas : ndarray
        (n, K) int64 pixels of each nucleus (K = 1) and cell (K = 2).
    shape : ndarray
        (2,) height and width of the field.
    found : int
        Nuclei in the field, the cut off ones among them.
    seconds : float
        How long it took.
    """

    images: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    centers: np.ndarray
    areas: np.ndarray
    shape: np.ndarray
    found: int
    seconds: float = 0.0


def cut_cells(field: np.ndarray, labels: Labels, *, size: int, masks: bool = True) -> FieldCells:
    """Cut a window around every nucleus, dropping those whose window leaves the image.

    Parameters
    ----------
    field : ndarray
        (C, Y, X).
    labels : Labels
        The nuclei, perhaps the cells.
    size : int
        Height and width of the window in pixels, centred on the nucleus' centroid.
    masks : bool
        Whether to cut the masks too.
    """
    stack = [labels.nuclei] if labels.cells is None else [labels.nuclei, labels.cells]
    numbers = np.unique(labels.nuclei)
    numbers = numbers[numbers > 0]
    centers = np.array(ndimage.center_of_mass(labels.nuclei > 0, labels.nuclei, numbers))
    centers = centers.reshape(len(numbers), 2)
    corners = np.floor(centers + 0.5).astype(np.int64) - size // 2
    height, width = field.shape[1:]
    inside = (corners >= 0).all(axis=1) & (corners + size <= (height, width)).all(axis=1)
    counts = [np.bincount(image.ravel(), minlength=numbers.max(initial=0) + 1) for image in stack]
    kept, places = numbers[inside], corners[inside]
    images = np.empty((len(kept), len(field), size, size), field.dtype)
    stencils = np.zeros((len(kept), len(stack) if masks else 0, size, size), np.uint8)
    for row, (number, (y, x)) in enumerate(zip(kept, places, strict=True)):
        window = np.s_[y : y + size, x : x + size]
        images[row] = field[:, *window]
        for layer, image in enumerate(stack[: stencils.shape[1]]):
            part = image[window]
            stencils[row, layer] = np.where(part == number, THIS, OTHER) * (part > 0)
    return FieldCells(
        images=images,
        masks=stencils,
        labels=kept.astype(np.int32),
        centers=centers[inside],
        areas=np.stack([count[kept] for count in counts], axis=1),
        shape=np.array([height, width]),
        found=len(numbers),
    )

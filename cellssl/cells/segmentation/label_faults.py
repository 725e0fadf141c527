"""What label images are that do not number nuclei and cells: masks, classes, cytoplasm."""

import cv2
import numpy as np

from cellssl.plates import FieldError

_CLASSES = 8  # numbers at most where they may stand for classes and not for objects
_PARTS = 5  # of each class; of an object, lobes and splinters are fewer
_AGAIN = 1.1  # parts per object, where numbers began anew
_COVERED = 0.5  # of the nuclei, and of what is around them


def check_objects(labels: np.ndarray, path: str, *, eight_bits: bool) -> None:
    """Refuse masks, classes (insides and edges, say) and numbers that began anew after 255: (Y, X) int32.

    Nuclei in several lobes, and what an object has lost at its edge, are parts of one object.
    """
    counts = np.bincount(labels.ravel())[1:]
    used = np.count_nonzero(counts)
    if not (1 <= used <= _CLASSES or (eight_bits and len(counts) == np.iinfo(np.uint8).max)):
        return
    from skimage.measure import label  # half a second that others need not wait for

    parts = label(labels, connectivity=2, return_num=True)[1]
    if used == 1 < parts:
        what = f"is a mask of {parts} parts that all have the number {len(counts)}"
    elif parts > (_PARTS * used if used <= _CLASSES else _AGAIN * used):
        what = f"has {used} numbers for {parts} parts"
    else:
        return
    raise FieldError(
        f"{path} {what}: wanted one number per object, in 16 bits where they are many "
        "(scipy.ndimage.label numbers the parts of a mask)"
    )


def check_background(nuclei: np.ndarray, path: str) -> None:
    """Refuse nuclei (Y, X) one of which is most of the field."""
    counts = np.bincount(nuclei.ravel())
    largest = int(counts.argmax())
    if largest and 2 * counts[largest] > nuclei.size:
        raise FieldError(
            f"{path}: {100 * counts[largest] / nuclei.size:.0f} % of its field have the number {largest}: wanted 0 for "
            "the background and a number for each nucleus"
        )


def check_cells(nuclei: np.ndarray, cells: np.ndarray, path: str) -> None:
    """Refuse cells (Y, X) that lie around most of the nuclei and not on them; some may lack a cell."""
    here = (nuclei > 0).astype(np.uint8)
    rim = cv2.dilate(here, np.ones((5, 5), np.uint8)) > here
    if rim.any() and np.mean(cells[here > 0] > 0) < _COVERED <= np.mean(cells[rim] > 0):
        raise FieldError(
            f"{path} leaves out most of the nuclei, as cytoplasm does: wanted whole cells, with their nuclei"
        )

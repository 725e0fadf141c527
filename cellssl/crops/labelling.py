"""Classes made of a number that each cell has: its intensity in a channel, or a column's value."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.arguments import whole_numbers
from cellssl.columns import bare_name, find_column
from cellssl.crops.batches import batches
from cellssl.crops.copying import copy_crops, described
from cellssl.crops.store import Crops
from cellssl.errors import CropError

_BACKGROUND = 10  # percentile of a crop's own grey values


@whole_numbers(error=CropError, classes=2)
def label_crops(
    crops: Crops | str | Path,
    out: str | Path,
    *,
    by: str,
    name: str,
    classes: int = 3,
    per: str | None = None,
) -> Path:
    """Write the same crops with one more column: classes of equal size along a number.

    So the amount of DNA, or the size of nuclei, becomes a label that `cellssl.audit` and
    `cellssl.evaluate` take: is it erased by a protocol that is right for the mechanism?

    Parameters
    ----------
    crops : Crops or path
        N cells.
    out : path
        The crop file to make (``.h5ad``), or a folder to put ``crops.h5ad`` into. It may be the
        file itself, which is replaced when the new one is whole.
    by : str
        A channel, for a cell's `total_intensity` in it, or a column of numbers, e.g.
        ``Area_Nucleus``; cells without a number get no class.
    name : str
        Of the new column, with or without ``Metadata_``; one that was made here is replaced.
    classes : int
        How many, 2 or more: see `class_names`.
    per : str, optional
        A column, such as Plate, within whose values cells are ranked, so that no class follows it;
        all cells together when left out.

    Returns
    -------
    Path
        The crop file.

    Raises
    ------
    CropError
        When there is no such channel or column, its numbers are too few or too alike, or the name
        is another column's.

    Examples
    --------
    >>> label_crops("crops.h5ad", "labelled.h5ad", by="DAPI", name="DNA content")  # doctest: +SKIP
    """
    crops = Crops.open(crops)
    column = label_column(name)
    about = described(crops)
    if find_column(crops.obs, column) and column not in about.get("labelled", {}):
        raise CropError(f"name: {crops.path} has a column {name!r} already; take another name")
    numbers = total_intensity(crops, by) if by in crops.channels else _column(crops, by)
    if not np.isfinite(numbers).any():
        raise CropError(f"none of the {len(crops):,} cells of {crops.path} has a number in {by!r}")
    groups = pd.Series("all", index=crops.obs.index) if per is None else _groups(crops, per)
    labels = np.full(len(crops), "", dtype=object)
    for rows in groups.groupby(groups).indices.values():
        labels[rows] = _rank(numbers[rows], classes, by=by)
    obs = crops.obs.assign(**{column: labels})
    how = {"by": by, "classes": classes, "per": per}
    about["labelled"] = {**about.get("labelled", {}), column: how}
    return copy_crops(crops, out, obs=obs, provenance=about)


def label_column(name: str) -> str:
    """Give the column of a label that is called so, with or without ``Metadata_``.

    Raises
    ------
    CropError
        When it cannot name one.

    Examples
    --------
    >>> label_column("DNA content")
    'Metadata_DNA content'
    """
    bare = bare_name(name)
    if "/" in name or not bare:
        raise CropError(f"name: {name!r} cannot name a column; take words without a '/'")
    return f"Metadata_{bare}"


def class_names(classes: int) -> tuple[str, ...]:
    """Name classes from the lowest to the highest.

    Examples
    --------
    >>> class_names(3), class_names(4)
    (('low', 'middle', 'high'), ('1 of 4', '2 of 4', '3 of 4', '4 of 4'))
    """
    words = {2: ("low", "high"), 3: ("low", "middle", "high")}
    return words.get(classes, tuple(f"{i + 1} of {classes}" for i in range(classes)))


def total_intensity(crops: Crops, channel: str) -> NDArray[np.float64]:
    """Sum each cell's grey values above its background in one channel: (N,).

    Summed over the cell's first mask where the crops have one, else over the whole crop, its
    neighbours with it. The background is the crop's own 10th percentile.
    """
    number = crops.channels.index(channel)
    totals = np.zeros(len(crops))
    for rows in batches(len(crops)):
        pixels = crops.read(rows)[:, number].astype(np.float64)  # (n, H, W)
        light = pixels - np.percentile(pixels, _BACKGROUND, axis=(1, 2), keepdims=True)
        masks = crops.masks(rows)
        totals[rows] = (light if masks is None else light * (masks[:, 0] == 1)).sum(axis=(1, 2))
    return totals


def _column(crops: Crops, name: str) -> NDArray[np.float64]:
    """Give a column's numbers; missing ones are NaN."""
    own = find_column(crops.obs, name)
    if own is None or not pd.api.types.is_numeric_dtype(crops.obs[own]):
        numeric = [str(c) for c in crops.obs if pd.api.types.is_numeric_dtype(crops.obs[c])]
        raise CropError(
            f"{crops.path} has no channel or column of numbers {name!r}; channels: "
            f"{', '.join(crops.channels)}; columns: {', '.join(numeric) or '(none)'}"
        )
    return crops.obs[own].to_numpy(np.float64, na_value=np.nan)


def _groups(crops: Crops, name: str) -> pd.Series:
    """Give the column within whose values cells are ranked, as text."""
    own = find_column(crops.obs, name)
    if own is None:
        raise CropError(
            f"{crops.path} has no column {name!r} to rank within; there are "
            f"{', '.join(map(str, crops.obs.columns))}"
        )
    return crops.obs[own].astype(str)


def _rank(numbers: NDArray[np.float64], classes: int, *, by: str) -> NDArray[np.object_]:
    """Put numbers into classes of equal size; what is no number into none."""
    labels = np.full(len(numbers), "", dtype=object)
    known = np.isfinite(numbers)
    if not known.any():
        return labels
    edges = np.quantile(numbers[known], np.arange(1, classes) / classes)
    codes = np.searchsorted(edges, numbers[known], side="right")
    if len(set(codes.tolist())) < classes:
        raise CropError(
            f"{by} has {len(set(numbers[known].tolist()))} different numbers among {known.sum()} cells: too "
            f"few for {classes} classes; take fewer, or rank all cells together"
        )
    labels[known] = np.array(class_names(classes), dtype=object)[codes]
    return labels

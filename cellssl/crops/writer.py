"""Writing a crop file batch by batch, whole or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import write_elem

import cellssl
from cellssl.columns import PLATE
from cellssl.crops.growing import GrowingTable
from cellssl.crops.layout import (
    MASKS,
    PIXELS,
    create_file,
    create_masks,
    create_pixels,
    open_file,
)
from cellssl.crops.packing import PackedMasks
from cellssl.crops.percentiles import PercentileTable, measure
from cellssl.crops.placing import StoredPixels, chunk_places, copy_pixels
from cellssl.crops.rows import RowReader
from cellssl.errors import CropError
from cellssl.files import atomic, make_folder

# What `write_crops` itself puts into uns["cellssl"].
OWN_KEYS = ("channels", "crop_size", "masks", "version", "percentiles")


@dataclass(frozen=True)
class CropBatch:
    """Some cells on their way into a crop file.

    Attributes
    ----------
    images : ndarray or StoredPixels
        (n, C, H, W) pixels in the source's own type. Those that lie in files already are copied when
        all batches are there.
    masks : ndarray, PackedMasks or None
        (n, M, H, W) uint8: 0 background, 1 this object, 2 other objects.
    obs : DataFrame
        n rows named ``plate/well/site/label``, at least with ``Metadata_Plate``.
    """

    images: np.ndarray | StoredPixels
    masks: np.ndarray | PackedMasks | None
    obs: pd.DataFrame

    def __repr__(self) -> str:
        return f"CropBatch({len(self.obs)} cells, {self.images.shape[1:]})"


def write_crops(
    path: str | Path,
    batches: Iterable[CropBatch],
    *,
    channels: Sequence[str],
    size: int,
    provenance: Mapping[str, Any],
    masks: Sequence[str] = ("nucleus",),
    threads: int = 1,
    progress: bool = False,
) -> Path:
    """Write crops as they come; memory holds one batch, however many there are.

    The same batches give the same bytes, and the file appears under its name only when it is
    complete.

    Parameters
    ----------
    path : path
        The file to make, usually ``crops.h5ad``; its folder is made too. An existing file is
        replaced.
    batches : iterable of CropBatch
        In the order in which they shall lie in the file; empty ones are fine.
    channels : sequence of str
        C names.
    size : int
        Height and width of a crop in pixels.
    provenance : mapping
        Plain values, lists and mappings that go into ``uns["cellssl"]`` (e.g. the segmenter and its
        settings); None is left out.
    masks : sequence of str
        M names of the masks, where the batches have some.
    threads : int
        That copy stored pixels.
    progress : bool
        Whether to show a progress bar while they do.

    Raises
    ------
    CropError
        When a batch does not fit `channels`, `size` or the batches before it, or two cells have one
        name.
    """
    path = Path(path)
    make_folder(path.parent)
    channels = _unique_channels(channels)
    with atomic(path) as part:
        with create_file(part) as file:
            obs, stored = _append_batches(file, batches, (len(channels), size, size), masks)
            _check_table(obs)
            # An empty var and an X without columns: the pixels are in obsm.
            write_elem(file, "var", pd.DataFrame(index=pd.Index([], dtype=str)))
            write_elem(file, "X", np.empty((len(obs), 0), np.float32))
            plates = obs.column(PLATE)
            places = chunk_places(file[PIXELS]) if stored else None
            names = list(masks) if MASKS in file else []
        if places is not None:
            copy_pixels(stored, part, places, threads=threads, shown=progress)
        about = {
            **provenance,
            "channels": channels,
            "crop_size": size,
            "masks": names,
            "version": cellssl.__version__,
            "percentiles": vars(_measure(part, places, plates, len(channels))),
        }
        with open_file(part, "r+") as file:
            write_elem(file["uns"], "cellssl", _storable(about))
    return path


def _measure(
    path: Path, places: np.ndarray | None, plates: np.ndarray, channels: int
) -> PercentileTable:
    """Measure the percentiles of the pixels; the reader lets go of the file when the function ends."""
    with h5py.File(path) as file:
        return measure(RowReader(file[PIXELS], places).read, plates, channels=channels)


def _unique_channels(channels: Sequence[str]) -> tuple[str, ...]:
    names = tuple(channels)
    if not names or len(set(names)) != len(names) or not all(name.strip() for name in names):
        raise CropError(f"channels need distinct names, at least one; got {list(names)}")
    return names


def _append_batches(
    file: h5py.File,
    batches: Iterable[CropBatch],
    shape: tuple[int, int, int],
    masks: Sequence[str],
) -> tuple[GrowingTable, list[StoredPixels]]:
    """Write tables, masks and pixels batch by batch; give the table, and the pixels to be copied."""
    obs, stored = GrowingTable(file), list[StoredPixels]()
    first: CropBatch | None = None
    for batch in batches:
        _check_shape(batch, shape, masks)
        first = first or batch
        _check_alike(batch, first)
        obs.append(batch.obs)
        _append_masks(file, batch.masks)
        if isinstance(batch.images, StoredPixels):
            stored.append(batch.images)
        else:
            if PIXELS not in file:
                create_pixels(file, (0, *shape), batch.images.dtype)
            _append(file[PIXELS], np.ascontiguousarray(batch.images))
    if first is None:
        raise CropError("there is no cell to write: no batch of crops was given")
    if stored:
        create_pixels(file, (len(obs), *shape), stored[0].dtype, placed=True)
    obs.finish()
    return obs, stored


def _append_masks(file: h5py.File, masks: np.ndarray | PackedMasks | None) -> None:
    """Append masks as they are packed."""
    if masks is None:
        return
    if MASKS not in file:
        create_masks(file, masks)
    packed = masks if isinstance(masks, PackedMasks) else PackedMasks.of(masks)
    _append(file[MASKS], packed.streams)


def _check_table(obs: GrowingTable) -> None:
    """Make sure that every cell has a plate and a name of its own."""
    if PLATE not in obs:
        raise CropError("the table of cells lacks Metadata_Plate")
    twice = obs.repeated()
    if twice:
        raise CropError(
            f"{len(twice)} cells share their name with another, e.g. {twice[0]!r}; names "
            "(plate/well/site/label) must be unique, since cells are matched by them"
        )


def _check_shape(batch: CropBatch, shape: tuple[int, int, int], masks: Sequence[str]) -> None:
    if batch.images.shape[1:] != shape or len(batch.images) != len(batch.obs):
        raise CropError(
            f"a batch of crops has shape {batch.images.shape} and {len(batch.obs)} table rows; "
            f"wanted (n, {', '.join(map(str, shape))}) and n rows"
        )
    wanted = (len(batch.images), len(masks), *shape[1:])
    if batch.masks is not None and batch.masks.shape != wanted:
        raise CropError(f"masks have shape {batch.masks.shape}, wanted {wanted} for {list(masks)}")
    if isinstance(batch.masks, np.ndarray) and batch.masks.dtype != np.uint8:
        raise CropError(
            f"masks are {batch.masks.dtype}, wanted uint8: 0 background, 1 this object, 2 others"
        )


def _check_alike(batch: CropBatch, first: CropBatch) -> None:
    """Make sure that a batch holds what the first did."""
    if batch.images.dtype != first.images.dtype:
        raise CropError(
            f"the first batch of crops holds {first.images.dtype}, and a later one {batch.images.dtype}; "
            "convert the images to one type first"
        )
    if (batch.masks is None) != (first.masks is None):
        raise CropError("some batches have masks and others have none: give masks to all or none")
    if isinstance(batch.images, StoredPixels) != isinstance(first.images, StoredPixels):
        raise CropError("some pixels are stored and others in memory: give all as one or the other")


def _append(dataset: h5py.Dataset, cells: Sequence[Any] | np.ndarray) -> None:
    """Append cells, each a chunk as it shall lie in the file: half the time of HDF5's own way there."""
    start = dataset.shape[0]
    dataset.resize(start + len(cells), axis=0)
    corner = (0,) * (dataset.ndim - 1)
    for row, cell in enumerate(cells, start):
        dataset.id.write_direct_chunk((row, *corner), cell)


def _storable(value: Any) -> Any:
    """Turn plain Python into what ``uns`` holds: None left out, lists as arrays, paths as text."""
    if isinstance(value, Mapping):
        if any("/" in str(key) for key in value):
            raise CropError(f"keys of the provenance may not contain '/': {list(value)}")
        return {str(key): _storable(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        texts = not value or any(isinstance(entry, str) for entry in value)
        return np.asarray(value, dtype=object if texts else None)
    return value

"""Crops as a bare array, NumPy's ``.npy`` or HDF5, beside a row-aligned CSV."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import h5py
import numpy as np

from cellssl.crops.batches import batches
from cellssl.crops.exchange.foreign import NAME, Foreign, named_table
from cellssl.crops.exchange.sidecar import Sidecar
from cellssl.crops.exchange.tables import read_cell_table
from cellssl.crops.layout import open_file, require_room_in
from cellssl.crops.store import Crops
from cellssl.errors import CropError
from cellssl.files import atomic, write_csv
from cellssl.progress import track

_LOG = logging.getLogger(__name__)
_PIXELS, _MASKS = "crops", "masks"

Array: TypeAlias = h5py.Dataset | np.ndarray


@contextmanager
def open_arrays(
    pixels: Path, table: Path | None, *, dataset: str | None, columns: Mapping[str, str]
) -> Iterator[Foreign]:
    """Open an array of pixels and its CSV, by default the one of the same name."""
    table = table or pixels.with_suffix(".csv")
    sidecar = Sidecar.read(pixels.with_suffix(".json"))
    about = sidecar or Sidecar(channels=())
    cells, names = read_cell_table(table, dict(columns))
    if sidecar is not None and NAME in cells:
        cells, names = sidecar.read_table(table), {}
    chosen = _PIXELS if about.masks and dataset is None else dataset
    with _open(pixels, chosen) as (array, beside):
        if beside is None and about.masks:
            raise CropError(
                f"no masks of {', '.join(about.masks)} beside {pixels}: export it again"
            )
        if beside is not None and sidecar is None:
            _LOG.warning(
                "%s: masks are left out, since no %s.json beside it says what they are; `cellssl crops export` "
                "writes it",
                pixels,
                pixels.stem,
            )
        masks = beside() if beside is not None and about.masks else None
        yield Foreign(
            path=pixels,
            shape=array.shape,
            dtype=array.dtype,
            read=lambda rows: (array[rows], None if masks is None else masks[rows]),
            table=cells,
            names=names,
            channels=about.channels,
            masks=about.masks,
            about=about.about,
        )


def write_npy(crops: Crops, out: Path, *, shown: bool = False) -> None:
    """Write ``NAME.npy``, ``NAME_masks.npy`` where there are masks, ``NAME.csv``, ``NAME.json``."""
    _forget(out)
    for path, shape, dtype, read in (
        (out, crops.shape, crops.dtype, crops.read),
        (_masks_beside(out), _masks_shape(crops), np.uint8, crops.masks),
    ):
        if not shape[1]:
            continue
        with atomic(path) as part, part.open("wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "shape": shape}
            np.lib.format.write_array_header_1_0(file, {**header, "fortran_order": False})
            for rows in track(batches(len(crops)), f"writing {path.name}", shown=shown):
                file.write(np.ascontiguousarray(read(rows)).data)
    _write_tables(crops, out)


def write_hdf5(crops: Crops, out: Path, *, shown: bool = False) -> None:
    """Write ``crops`` and ``masks`` into one HDF5 file, ``NAME.csv`` and ``NAME.json`` beside it."""
    _forget(out)
    with atomic(out) as part, open_file(part, "w") as file:
        file.create_dataset(_PIXELS, crops.shape, crops.dtype)
        if crops.mask_names:
            shape = _masks_shape(crops)
            chunk = (1, *shape[1:]) if len(crops) else None
            file.create_dataset(
                _MASKS, shape, np.uint8, chunks=chunk, compression="gzip" if chunk else None
            )
        for rows in track(batches(len(crops)), f"writing {out.name}", shown=shown):
            pixels, masks = crops.read(rows), crops.masks(rows)
            require_room_in(file, pixels.nbytes + (0 if masks is None else masks.nbytes))
            file[_PIXELS][rows] = pixels
            if masks is not None:
                file[_MASKS][rows] = masks
    _write_tables(crops, out)


def _forget(out: Path) -> None:
    """Remove the description of an export that is being replaced: half of it describes nothing.

    Raises
    ------
    CropError
        When tables of the same name are there that no export made.
    """
    described, table = out.with_suffix(".json"), out.with_suffix(".csv")
    there = (table.exists() or described.exists()) and not out.exists()
    if there and Sidecar.read(described) is None:
        raise CropError(
            f"{out} would have its table in {table} and its description in {described}, and there are "
            "such files that no export made; choose another name with --out"
        )
    described.unlink(missing_ok=True)


def _write_tables(crops: Crops, out: Path) -> None:
    write_csv(named_table(crops), out.with_suffix(".csv"))
    Sidecar.of(crops).write(out.with_suffix(".json"))


def _masks_shape(crops: Crops) -> tuple[int, int, int, int]:
    return (len(crops), len(crops.mask_names), crops.size, crops.size)


def _masks_beside(pixels: Path) -> Path:
    return pixels.with_name(f"{pixels.stem}_masks{pixels.suffix}")


@contextmanager
def _open(path: Path, dataset: str | None) -> Iterator[tuple[Array, Callable[[], Array] | None]]:
    """Open pixels without loading any; give what opens the masks that lie where an export puts them."""
    if not path.is_file():
        raise CropError(f"no file of crops at {path}")
    if path.suffix == ".npy":
        masks = _masks_beside(path)
        yield _mapped(path), partial(_mapped, masks) if masks.is_file() else None
        return
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CropError(f"{path} is neither .npy nor readable HDF5: {error}") from error
    with file:
        masked = partial(file.__getitem__, _MASKS) if _MASKS in file else None
        yield file[_dataset_name(file, dataset)], masked


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CropError(f"{path} is not a plain array of numbers: {error}") from error


def _dataset_name(file: h5py.File, wanted: str | None) -> str:
    found: list[str] = []

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim == 4:
            found.append(name)

    file.visititems(note)
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted is not None and wanted in found:
        return wanted
    problem = f"no array {wanted!r} of four axes" if wanted else f"{len(found)} arrays of four axes"
    raise CropError(
        f"{file.filename} has {problem}; name one with dataset= (--dataset): "
        f"{', '.join(found) or '(none)'}"
    )

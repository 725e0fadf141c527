"""The read-only handle on a crop file."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem

from cellssl.arguments import one_path
from cellssl.columns import AREA, PLATE
from cellssl.crops.layout import FILE_NAME, MASKS, PIXELS
from cellssl.crops.percentiles import PercentileTable
from cellssl.crops.rows import RowReader, Rows, row_numbers
from cellssl.errors import CropError
from cellssl.framing import diameter_of
from cellssl.sampling import in_order


def channel_numbers(
    wanted: Sequence[str], there: Sequence[str], *, owner: object, mend: str = ""
) -> list[int]:
    """Find channels, or masks, by their names among those that `owner` has; `mend` tells what to do where one lacks.

    Raises
    ------
    CropError
        When one is not there.
    """
    missing = [name for name in wanted if name not in there]
    if missing:
        told = f"{owner} has no channel {', '.join(missing)}; it has {', '.join(there)}"
        raise CropError(f"{told}. {mend}" if mend else told)
    return [list(there).index(name) for name in wanted]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what libraries raise on damaged bytes into an error that says what to do."""
    try:
        yield
    except CropError:
        raise
    except Exception as error:  # damaged bytes make libraries raise anything
        if "unable to lock file" in str(error):
            raise CropError(
                f"{path} is on a disk that cannot lock files ({error}); set HDF5_USE_FILE_LOCKING=FALSE in the "
                "environment before Python starts, as the command line does by itself"
            ) from error
        raise CropError(
            f"{path} is not a crop file, or it is damaged ({error}); make it anew with "
            "`cellssl crop` or `cellssl crops import`"
        ) from error


class Crops:
    """Single-cell crops on disk, read in any order and never whole unless asked: ``Crops.open(path)``.

    The file is an AnnData (``anndata.read_h5ad`` opens it): pixels in ``obsm["crops"]``, masks in
    ``obsm["masks"]``, cells in ``obs``, everything else in ``uns["cellssl"]``. A handle may be
    pickled and used after a fork: each process opens the file for itself on its first read.

    Attributes
    ----------
    path : Path
        The file.
    shape : tuple of int
        (N, C, H, W).
    dtype : numpy.dtype
        The source's own type.

    Examples
    --------
    >>> import tempfile
    >>> from cellssl.crops import CropBatch, Crops, write_crops
    >>> cells = pd.DataFrame({"Metadata_Plate": ["P1", "P1"]}, index=["P1/A01/1/1", "P1/A01/1/2"])
    >>> batch = CropBatch(images=np.ones((2, 1, 8, 8), np.uint16), masks=None, obs=cells)
    >>> path = Path(tempfile.mkdtemp()) / "crops.h5ad"
    >>> file = write_crops(path, [batch], channels=["DNA"], size=8, provenance={})
    >>> crops = Crops.open(file)
    >>> crops.shape, crops.channels, int(crops.read([1]).sum())
    ((2, 1, 8, 8), ('DNA',), 64)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path = Path(path)
        self._file: h5py.File | None = None
        self._readers: dict[str, RowReader] = {}
        self._process = 0
        if PIXELS not in self._open():
            raise CropError(
                f"{path} is not a crop file: it holds no pictures ({PIXELS}). Of an embedding give the crop file that "
                "it was made from, too"
            )
        pixels = self._open()[PIXELS]
        self.shape: tuple[int, int, int, int] = pixels.shape
        self.dtype: np.dtype = pixels.dtype

    @classmethod
    def open(cls, path: "Crops | str | Path") -> "Crops":
        """Open a crop file, or the ``crops.h5ad`` of a folder; one that is open is given back.

        Raises
        ------
        CropError
            When it is missing, truncated, not HDF5, an AnnData without crops, or its arrays do not
            fit each other.
        """
        if isinstance(path, Crops):
            return path
        wanted = "one crop file (of several `cellssl.join_crops` makes one)"
        path = one_path(path, wanted, error=CropError).absolute()
        if path.is_dir():
            path = path / FILE_NAME
        if not path.is_file():
            raise CropError(f"no crop file at {path}; {_where_crops_are(path.parent)}")
        with _readable(path):
            crops = cls(path)
            crops._check()
        return crops

    def _check(self) -> None:
        """Raise CropError when what the file says of itself does not fit its arrays."""
        if "cellssl" not in self.uns:
            raise CropError(
                f"{self.path} lacks uns['cellssl'], which tells its channels. anndata.concat leaves it out: for "
                "cells of one crop file keep it with uns_merge='same'; several files `cellssl.join_crops` joins"
            )
        missing = {"channels", "crop_size", "percentiles"} - set(self.uns["cellssl"])
        if missing:
            raise CropError(
                f"{self.path}: uns['cellssl'] lacks {sorted(missing)}; it was not made by cellssl"
            )
        measured = self.uns["cellssl"]["percentiles"].get("cells", ())  # on each plate
        if sum(measured) < len(self):
            raise CropError(
                f"{self.path}: uns['cellssl'] lacks the percentiles of some plates, as where anndata.concat put crop "
                "files together: join them with `cellssl.join_crops`"
            )
        if len(self.shape) != 4 or self.shape[1] != len(self.channels):
            raise CropError(
                f"{self.path}: pixels of shape {self.shape} for channels {self.channels}"
            )
        file = self._open()
        names = file["obs"][file["obs"].attrs["_index"]]
        cells = len(names["values"] if isinstance(names, h5py.Group) else names)  # anndata has both
        masks = file[MASKS].shape if MASKS in file else None
        fitting = (len(self), len(self.mask_names), *self.shape[2:])
        if cells != len(self) or masks not in (None, fitting):
            raise CropError(
                f"{self.path} is damaged: {cells} rows of cells, pixels of shape {self.shape}, masks "
                f"of shape {masks} for {list(self.mask_names)}; make it anew with `cellssl crop` "
                "or `cellssl crops import`"
            )

    def _open(self) -> h5py.File:
        """Give this process's own file handle: HDF5 handles do not survive a fork."""
        if self._file is None or self._process != os.getpid():
            self._file = h5py.File(self.path, "r")
            self._readers = {}
            self._process = os.getpid()
        return self._file

    def _reader(self, array: str) -> RowReader:
        """Give this process's own reader of an array."""
        file = self._open()
        if array not in self._readers:
            self._readers[array] = RowReader(file[array])
        return self._readers[array]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_readers": {}, "_process": 0}

    def __len__(self) -> int:
        return self.shape[0]

    def __enter__(self) -> "Crops":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        about = f"{len(self)} cells, {', '.join(self.channels)}, {self.size} px {self.dtype}"
        return f"Crops({about}, {self.path})"

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None
        self._readers = {}

    @property
    def obs(self) -> pd.DataFrame:
        """One row per cell, named ``plate/well/site/label``; columns may be added, rows stay those of the pixels.

        Raises
        ------
        CropError
            When its rows were sorted, dropped or named anew.
        """
        obs, names = self._table
        if not obs.index.equals(names):
            raise CropError(
                f"the table of {self.path} was changed, and its rows are no longer those of the pixels: open the "
                "file again, and sort or cut a copy, crops.obs.copy()"
            )
        return obs

    @obs.setter
    def obs(self, obs: pd.DataFrame) -> None:
        self._table = obs, self._table[1]

    @cached_property
    def _table(self) -> tuple[pd.DataFrame, pd.Index]:
        """The cells' table, which others may change, and the cells' names as they lie in the file."""
        with _readable(self.path):
            obs = read_elem(self._open()["obs"])
        return obs, obs.index

    @cached_property
    def uns(self) -> dict[str, Any]:
        """Everything unstructured; ``uns["cellssl"]`` is ours."""
        with _readable(self.path):
            return read_elem(self._open()["uns"])

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The C channels in the order of the pixels."""
        return tuple(str(name) for name in self.uns["cellssl"]["channels"])

    @cached_property
    def mask_names(self) -> tuple[str, ...]:
        """The M masks in their order; empty where the file has none."""
        return tuple(str(name) for name in self.uns["cellssl"].get("masks", ()))

    @cached_property
    def percentiles(self) -> PercentileTable:
        """The stored percentiles per plate and channel."""
        return PercentileTable.from_uns(self.uns["cellssl"]["percentiles"])

    @property
    def size(self) -> int:
        """Height and width of a crop in pixels."""
        return self.shape[2]

    @cached_property
    def nucleus(self) -> float:
        """Usual diameter of a nucleus in a crop's pixels; 0 where no areas are known."""
        areas = pd.to_numeric(self.obs.get(AREA, pd.Series(dtype=float)), errors="coerce")
        return diameter_of(areas.median()) if areas.notna().any() else 0.0

    @property
    def plates(self) -> np.ndarray:
        """The plate of each cell: (N,) of str."""
        return self.obs[PLATE].astype(str).to_numpy()

    def rows_by_plate(self) -> dict[str, np.ndarray]:
        """Give the rows of each plate's cells, plates in the order in which they appear."""
        numbers, names = pd.factorize(self.plates)
        return {str(name): np.flatnonzero(numbers == n) for n, name in enumerate(names)}

    def read(self, rows: Rows | None = None) -> np.ndarray:
        """Read the pixels of some cells.

        Parameters
        ----------
        rows : int, sequence of int, boolean mask, slice or None
            In any order, repeated if you like; None reads all. A Series of truth values goes by the cells' names.

        Returns
        -------
        ndarray
            (n, C, H, W) in the file's own type, in the order of `rows`.
        """
        return self._reader(PIXELS).read(self._numbers(rows))

    def _numbers(self, rows: Rows | None) -> np.ndarray:
        """Turn rows into numbers."""
        if isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows):
            rows = in_order(rows, self.obs.index)
        return row_numbers(rows, len(self))

    def masks(self, rows: Rows | None = None) -> np.ndarray | None:
        """Read masks: (n, M, H, W) uint8 (0 background, 1 this object, 2 others), or None."""
        if MASKS not in self._open():
            return None
        return self._reader(MASKS).read(self._numbers(rows))


def _where_crops_are(folder: Path) -> str:
    """Say which file was meant, where a folder of `cellssl run` was given; else how to make one."""
    below = folder / "crops" / FILE_NAME
    return f"there is {below}: name that" if below.is_file() else "make one with `cellssl crop`"

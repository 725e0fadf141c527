"""A table of cells on disk that grows: memory holds one batch, however many cells a screen has."""

from typing import Any

import h5py
import numpy as np
import pandas as pd

from cellssl.crops.layout import encode
from cellssl.errors import CropError

_CHUNK = 1024  # rows
_INDEX = "_index"
_BUFFER = 4096  # rows that are written together
_TABLES = 256  # or so many tables of few rows, which are worth more memory than their rows
_STEP = 16  # bytes: texts have a fixed length, which grows by so many


class GrowingTable:
    """A data frame in AnnData's on-disk layout (dataframe 0.2.0), written batch by batch.

    A column is numbers, true/false, or text. Where batches disagree it becomes what holds both:
    whole numbers and fractions become fractions, anything else text. What a batch lacks is NaN in
    a column of numbers, "" in one of text. A "/" in a column's name becomes "_": HDF5 would take it
    for a folder.

    Texts are UTF-8 of a fixed length. AnnData itself writes them in HDF5's variable length and reads
    either; these are smaller, and no heap of HDF5 stands between a damaged file and its cells' names.

    Parameters
    ----------
    file : h5py.File
        Gets a group called ``obs``.
    """

    def __init__(self, file: h5py.File) -> None:
        self._group = file.create_group("obs")
        self._rows = 0
        self._waiting: list[pd.DataFrame] = []
        self._order: list[str] = []
        self._create(_INDEX, np.dtype("S1"))

    def __len__(self) -> int:
        return self._rows + sum(map(len, self._waiting))

    def __contains__(self, name: str) -> bool:
        return name in self._order

    def append(self, table: pd.DataFrame) -> None:
        """Add a batch's rows; their names are the index."""
        self._waiting.append(table)
        if len(self._waiting) >= _TABLES or sum(map(len, self._waiting)) >= _BUFFER:
            self._flush()

    def _flush(self) -> None:
        """Write the rows that wait."""
        filled = [table for table in self._waiting if len(table)]
        tables = filled or self._waiting[:1]
        self._waiting = []
        if tables:
            self._write(pd.concat(tables) if len(tables) > 1 else tables[0])

    def _write(self, table: pd.DataFrame) -> None:
        columns = {str(name).replace("/", "_"): _as_array(table[name]) for name in table}
        if len(columns) < len(table.columns):
            raise CropError(
                f"two columns of the table of cells have one name when / is written as _: "
                f"{', '.join(map(str, table.columns))}; rename one"
            )
        for name, values in columns.items():
            if name not in self._order:
                self._order.append(name)
                self._create(name, values.dtype)
                self._extend(name, _missing(self._rows))
        self._extend(_INDEX, _texts(table.index))
        for name in self._order:
            self._extend(name, columns.get(name, _missing(len(table))))
        self._rows += len(table)

    def finish(self) -> None:
        """Write the last rows, and what makes the group a data frame."""
        self._flush()
        encode(self._group, "dataframe", "0.2.0")
        self._group.attrs["_index"] = _INDEX
        self._group.attrs["column-order"] = np.array(self._order, dtype=h5py.string_dtype())

    def repeated(self) -> list[str]:
        """Give the names of rows that have the name of an earlier one, when all are written."""
        names = pd.Series(self.column(_INDEX))
        return names[names.duplicated()].tolist()

    def column(self, name: str) -> np.ndarray:
        """Read a column as text: (N,) of str."""
        dataset = self._group[name]
        text = h5py.check_string_dtype(dataset.dtype) is not None
        return dataset.asstr()[:] if text else dataset[:].astype(str)

    def _create(self, name: str, dtype: np.dtype) -> None:
        text = dtype.kind == "S"
        dataset = self._group.create_dataset(
            name,
            shape=(0,),
            maxshape=(None,),
            chunks=(_CHUNK,),
            dtype=h5py.string_dtype(length=dtype.itemsize) if text else dtype,
        )
        encode(dataset, "string-array" if text else "array", "0.2.0")

    def _extend(self, name: str, values: np.ndarray) -> None:
        """Append to a column, changing its type first where it cannot hold the values."""
        if not len(values):
            return
        held = self._group[name].dtype
        wanted = _common(held, values.dtype)
        if wanted != held:
            before = self._group[name][:]
            del self._group[name]
            self._create(name, wanted)
            self._append(name, _cast(before, wanted))
        self._append(name, _cast(values, wanted))

    def _append(self, name: str, values: np.ndarray) -> None:
        dataset = self._group[name]
        start = len(dataset)
        dataset.resize(start + len(values), axis=0)
        dataset[start:] = values.astype(dataset.dtype)  # which knows that texts are UTF-8


def _as_array(column: pd.Series) -> np.ndarray:
    """Give a column as numbers, true/false, or encoded texts ("" where one is missing)."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "buif":
        return column.to_numpy()
    return _texts(column.astype(object).where(column.notna(), "").to_numpy(object))


def _texts(values: Any) -> np.ndarray:
    """Encode values as UTF-8 texts whose length is a multiple of `_STEP`."""
    encoded = [str(value).encode() for value in values]
    longest = max(map(len, encoded), default=1)
    return np.array(encoded, dtype=f"S{-(-max(longest, 1) // _STEP) * _STEP}")


def _missing(rows: int) -> np.ndarray:
    return np.full(rows, np.nan)


def _common(held: np.dtype, new: np.dtype) -> np.dtype:
    """Give the type that holds both: a number's, bool, or text."""
    if held == new:
        return held
    kinds = {held.kind, new.kind}
    if "S" in kinds or "b" in kinds:
        lengths = [dtype.itemsize for dtype in (held, new) if dtype.kind == "S"]
        return np.dtype(f"S{max([2 * _STEP, *lengths])}")  # 32 bytes hold any number
    return np.result_type(held, new)


def _cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Turn values into a type that can hold them."""
    if dtype.kind != "S" or values.dtype.kind == "S":
        return values.astype(dtype)
    return _as_array(pd.Series(values).astype(object)).astype(dtype)

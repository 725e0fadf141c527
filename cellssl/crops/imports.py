"""Crops that exist already, brought into a crop file."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cellssl.crops.store import FILE_NAME
from cellssl.crops.writer import CropBatch, write_crops
from cellssl.errors import CropError
from cellssl.files import sha256

__all__ = ["import_crops"]

_LOG = logging.getLogger(__name__)
_BATCH = 256
_KNOWN = {
    "plate": "Metadata_Plate",
    "well": "Metadata_Well",
    "site": "Metadata_Site",
    "field": "Metadata_Site",
    "batch": "Metadata_Batch",
    "compound": "Metadata_Compound",
    "treatment": "Metadata_Compound",
    "concentration": "Metadata_Concentration",
    "dose": "Metadata_Concentration",
    "moa": "Metadata_MOA",
    "control": "Metadata_Control",
}
_PREFIXES = ("Metadata_", "Quality_", "Area_")
# Who a cell is: read as text, however much it looks like a number.
_TEXTS = ("plate", "well", "site", "field", "compound", "treatment", "moa")
_IDENTITY = {_KNOWN[name] for name in _TEXTS}
_LABELS = ("label", "cellid", "objectnumber", "cellindex")


def import_crops(
    pixels: str | Path,
    table: str | Path,
    out: str | Path,
    *,
    channels: Sequence[str],
    dataset: str | None = None,
    columns: Mapping[str, str] | None = None,
    label: str | None = None,
    plate: str | None = None,
    negative_control: str | None = "DMSO",
    batch_pattern: str = r"Week\d+",
) -> Path:
    r"""Bring crops from HDF5 or NumPy and a row-aligned CSV into a crop file.

    Parameters
    ----------
    pixels : path
        ``.h5``/``.hdf5`` or ``.npy`` with (N, C, H, W), H = W.
    table : path
        CSV with N rows in the same order.
    out : path
        The crop file to make (``.h5ad``), or a folder to put ``crops.h5ad`` into.
    channels : sequence of str
        C names in the order of the pixels.
    dataset : str, optional
        Name in the HDF5 file; needed only when it holds several arrays of four axes.
    columns : mapping, optional
        Column of the CSV → what it means, e.g. ``{"drug": "Compound"}``; ``Metadata_Compound`` is
        the same. Without it plate, well, site, compound, concentration, moa, batch and control are
        recognised in any case, with or without ``Metadata_``; every other column becomes
        ``Metadata_<column>``. Plates, wells, sites, compounds and mechanisms stay as written.
    label : str, optional
        The column that tells the cells of a field apart, the end of a cell's name; by default
        ``label`` (or what `columns` calls so), ``cell_id``, ``object_number`` or ``cell_index``,
        else the row's number.
    plate : str, optional
        Name of the plate where the table has no such column; the CSV's folder by default.
    negative_control : str, optional
        The compound that becomes ``Metadata_Control`` "negative", unless the table says what is a
        control.
    batch_pattern : str
        Regular expression that finds the batch at the start of a plate's name (``Week4`` of
        ``Week4_27861``), used where the table names no batch and it fits every plate.

    Returns
    -------
    Path
        The crop file.

    Raises
    ------
    CropError
        When the files cannot be read or do not fit each other, names of cells are not unique, or a
        crop holds NaN or infinite values.
    """
    out = Path(out)
    out = out if out.suffix == ".h5ad" else out / FILE_NAME
    cells, names = _read_table(Path(table), dict(columns or {}))
    obs = cells.rename(columns=names)
    if "Metadata_Plate" not in obs:
        obs.insert(0, "Metadata_Plate", plate or Path(table).absolute().parent.name)
    _complete(obs, negative_control, batch_pattern)
    obs.index = pd.Index(_cell_names(obs, cells, label))
    with _open_pixels(Path(pixels), dataset) as array:
        _check_pixels(array, len(obs), channels, Path(pixels))
        batches = _batches(array, obs, Path(pixels))
        source = {"file": Path(pixels).name, "table": Path(table).name, "sha256": sha256(pixels)}
        return write_crops(
            out,
            batches,
            channels=channels,
            size=array.shape[2],
            provenance={"segmenter": {"name": "import", "settings": source}},
        )


def _read_table(path: Path, columns: dict[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read the CSV and its columns' names in obs; what identifies a cell stays as written."""
    try:
        names = _name_columns(pd.read_csv(path, nrows=0), columns)
        texts = {
            name: str
            for name, own in names.items()
            if own in _IDENTITY or _plain(name) in _TEXTS or _plain(own) in _TEXTS
        }
        return pd.read_csv(path, dtype=texts, keep_default_na=True), names
    except (OSError, ValueError) as error:
        raise CropError(f"the table of cells {path} cannot be read as CSV: {error}") from error


def _plain(name: str) -> str:
    """Reduce a column's name to what is compared: lower case, no Metadata_, blank or underscore."""
    return re.sub(r"^(image_)?metadata_|[ _]", "", name.lower())


def _list(cells: pd.DataFrame) -> str:
    return ", ".join(map(str, cells.columns))


def _name_columns(cells: pd.DataFrame, columns: dict[str, str]) -> dict[str, str]:
    """Find the names in obs of the CSV's columns."""
    missing = sorted(set(columns) - set(cells.columns))
    if missing:
        raise CropError(
            f"the table has no column {', '.join(missing)}; it has {_list(cells)}: name one of "
            "them with columns= (--column COLUMN=Well)"
        )
    given = {name: _meaning(wanted) for name, wanted in columns.items()}
    taken = set(given.values())
    names: dict[str, str] = {}
    for name in cells.columns:
        own = _prefixed(name)
        known = _KNOWN.get(_plain(name), own)
        names[name] = given.get(name, own if known in taken else known)
        taken.add(names[name])
    called = list(names.values())
    twice = [name for name in called if called.count(name) > 1]
    if twice:
        both = " and ".join(name for name, own in names.items() if own == twice[0])
        raise CropError(
            f"two columns of the table, {both}, would both be called {twice[0]}: name one "
            "differently with columns= (--column COLUMN=NAME)"
        )
    return names


def _meaning(wanted: str) -> str:
    """Give the name in obs that is meant by Well, well or Metadata_Well."""
    full = {name.lower(): name for name in _KNOWN.values()}
    if wanted.lower() in full or wanted.startswith(_PREFIXES):
        return full.get(wanted.lower(), wanted)
    known = {**_KNOWN, "label": "Metadata_Label"}
    return known.get(_plain(wanted), f"Metadata_{wanted}")


def _prefixed(name: str) -> str:
    return name if name.startswith(_PREFIXES) else f"Metadata_{name}"


def _complete(obs: pd.DataFrame, negative_control: str | None, batch_pattern: str) -> None:
    """Add what the names imply: the well's usual form, the control, the batch."""
    if "Metadata_Well" in obs:
        obs["Metadata_Well"] = obs["Metadata_Well"].fillna("").map(_well)
    if (
        "Metadata_Control" not in obs
        and "Metadata_Compound" in obs
        and negative_control is not None
    ):
        compounds = obs["Metadata_Compound"].fillna("").str.strip().str.lower()
        negative = compounds == negative_control.strip().lower()
        obs["Metadata_Control"] = np.where(negative, "negative", "")
    if "Metadata_Batch" not in obs:
        batch = obs["Metadata_Plate"].astype(str).str.extract(f"^({batch_pattern})")[0]
        if len(obs) and batch.notna().all():
            obs["Metadata_Batch"] = batch


def _well(name: str) -> str:
    """Write a well as A01; leave alone what is no well."""
    found = re.fullmatch(r"([A-Za-z]{1,2})0*(\d{1,2})", name.strip())
    return f"{found[1].upper()}{int(found[2]):02d}" if found else name


def _cell_names(obs: pd.DataFrame, cells: pd.DataFrame, label: str | None) -> list[str]:
    """Name each cell plate/well/site/label, leaving out what the table lacks."""
    if label is not None and label not in cells:
        raise CropError(f"the table has no column {label!r}; it has {_list(cells)}")
    table = cells
    if label is None:
        table = obs
        plain = {_plain(name): name for name in reversed(obs.columns)}
        label = next((plain[name] for name in _LABELS if name in plain), None)
    labels = table[label] if label is not None else pd.Series(np.arange(1, len(cells) + 1))
    places = [name for name in ("Metadata_Plate", "Metadata_Well", "Metadata_Site") if name in obs]
    parts = [obs[name].astype(str).to_numpy() for name in places]
    names = pd.Series(["/".join(row) for row in zip(*parts, labels.astype(str), strict=True)])
    twice = names[names.duplicated()]
    if len(twice):
        raise CropError(
            f"{len(twice)} cells share their name with another, e.g. {twice.iloc[0]!r}: column "
            f"{label!r} does not tell the cells of a field apart; name one that does with label= "
            "(--column COLUMN=Label)"
        )
    return names.tolist()


@contextmanager
def _open_pixels(path: Path, dataset: str | None) -> Iterator[h5py.Dataset | np.ndarray]:
    """Open the array of pixels without loading it."""
    if not path.is_file():
        raise CropError(f"no file of crops at {path}")
    if path.suffix == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise CropError(f"{path} is not a plain array of numbers: {error}") from error
        yield array
        return
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CropError(f"{path} is neither .npy nor readable HDF5: {error}") from error
    with file:
        yield file[_dataset_name(file, dataset)]


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


def _check_pixels(
    array: h5py.Dataset | np.ndarray, cells: int, channels: Sequence[str], path: Path
) -> None:
    shape = array.shape
    if array.ndim != 4 or array.dtype.kind not in "uif":
        raise CropError(f"{path}: wanted numbers of shape (N, C, H, W), got {array.dtype} {shape}")
    if shape[0] != cells:
        raise CropError(
            f"{path} holds {shape[0]} crops, and the table has {cells} rows; "
            "they must be row-aligned"
        )
    if shape[1] != len(channels):
        last = shape[3] == len(channels)
        hint = "the channels seem to lie on the last axis: move it to the second" if last else ""
        raise CropError(
            f"{path} has {shape[1]} channels (its shape is {shape}), and {len(channels)} names "
            f"were given: {', '.join(channels)}. {hint}".rstrip()
        )
    if shape[2] != shape[3]:
        raise CropError(f"{path}: crops must be square, got {shape[2]}×{shape[3]}")


def _batches(
    array: h5py.Dataset | np.ndarray, obs: pd.DataFrame, path: Path
) -> Iterator[CropBatch]:
    native = array.dtype.newbyteorder("=")
    for start in range(0, max(len(obs), 1), _BATCH):
        part = slice(start, start + _BATCH)
        images = np.asarray(array[part]).astype(native, copy=False)
        bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
        if len(bad):
            row = start + int(bad[0])
            raise CropError(
                f"{path}: the crop in row {row} (the first is 0; cell {obs.index[row]!r}) holds NaN "
                "or infinite values, wanted finite numbers: mend it, or leave it out of both files"
            )
        yield CropBatch(images=images, masks=None, obs=obs.iloc[part])
    _LOG.info("imported %d crops", len(obs))

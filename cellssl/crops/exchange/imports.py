"""Crops that exist already, brought into a crop file."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd

from cellssl.columns import PLATE, texts_of
from cellssl.crops.batches import batches
from cellssl.crops.exchange.arrays import open_arrays
from cellssl.crops.exchange.deepprofiler import TABLE, open_singlecells
from cellssl.crops.exchange.foreign import NAME, Foreign, without_names
from cellssl.crops.exchange.scportrait import open_h5sc
from cellssl.crops.exchange.tables import cell_names, complete
from cellssl.crops.layout import crop_file
from cellssl.crops.writer import OWN_KEYS, CropBatch, write_crops
from cellssl.errors import CropError
from cellssl.files import sha256
from cellssl.progress import track
from cellssl.words import listed

_LOG = logging.getLogger(__name__)


def import_crops(
    pixels: str | Path,
    table: str | Path | None,
    out: str | Path,
    *,
    channels: Sequence[str] | None = None,
    dataset: str | None = None,
    columns: Mapping[str, str] | None = None,
    label: str | None = None,
    plate: str | None = None,
    negative_control: str | None = "DMSO",
    batch_pattern: str = r"Week\d+",
    progress: bool = False,
) -> Path:
    r"""Bring crops of another format into a crop file.

    Crops that `export_crops` wrote come back as they were, with their names, tables, masks and
    channels; all that follows is for those of others.

    Parameters
    ----------
    pixels : path
        ``.npy`` or ``.h5``/``.hdf5`` with (N, C, H, W), H = W; scPortrait's ``.h5sc``; or
        DeepProfiler's folder of single cells, the one with ``sc-metadata.csv``.
    table : path or None
        CSV with N rows in the same order, for ``.npy`` and HDF5; by default the one of the same
        name. The other formats have their own.
    out : path
        The crop file to make (``.h5ad``), or a folder to put ``crops.h5ad`` into.
    channels : sequence of str, optional
        C names in the order of the pixels; for formats that do not know them. Where DeepProfiler's
        PNGs have a tile more, it is the mask.
    dataset : str, optional
        Name in the HDF5 file; needed only when it holds several arrays of four axes.
    columns : mapping, optional
        Column of the table → what it means, e.g. ``{"drug": "Compound"}``; ``Metadata_Compound`` is
        the same. Without it plate, well, site, compound, concentration, gene, guide, moa, batch and
        control are recognised in any case, with or without ``Metadata_``; every other column becomes
        ``Metadata_<column>``. Plates, wells, sites, compounds, genes, guides and mechanisms stay as
        written, and so do numbers with zeros in front (``01``). Compounds by other names (``Drug``), and doses
        with units (``Conc (nM)``), are read as `cellssl.index` reads those of wells.
    label : str, optional
        The column that tells the cells of a field apart, the end of a cell's name; by default
        ``label`` (or what `columns` calls so), ``cell_id``, ``object_number``, ``cell_index`` or
        ``scportrait_cell_id``, else the row's number.
    plate : str, optional
        Name of the plate; by default what the table says, and where it says none, that of the folder.
    negative_control : str, optional
        The compound, or gene, that becomes ``Metadata_Control`` "negative", unless the table says
        what is a control.
    batch_pattern : str
        Regular expression that finds the batch at the start of a plate's name (``Week4`` of
        ``Week4_27861``), used where the table names no batch and it fits every plate.
    progress : bool
        Whether to show a progress bar.

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
    pixels, out = Path(pixels), crop_file(out)
    table = None if table is None else Path(table)
    with _open(pixels, table, channels, dataset, dict(columns or {})) as foreign:
        names = _channel_names(foreign, channels)
        if NAME in foreign.table:
            obs = without_names(foreign.table)
            about = {key: value for key, value in foreign.about.items() if key not in OWN_KEYS}
        else:
            obs = foreign.table.rename(columns=dict(foreign.names))
            named = plate or (table or pixels).absolute().parent.name
            if PLATE not in obs:
                obs.insert(0, PLATE, named)
            elif plate and (several := sorted(set(texts_of(obs[PLATE])) - {""}))[1:]:
                _LOG.warning(
                    "all cells are of plate %s, as asked for; the table says %s",
                    plate,
                    listed(several),
                )
            obs[PLATE] = named if plate else obs[PLATE].fillna("").replace("", named)
            obs = complete(obs, negative_control, batch_pattern)
            obs.index = pd.Index(cell_names(obs, foreign.table, label))
            about = {"segmenter": {"name": "import", "settings": _source(pixels, table)}}
        _check_pixels(foreign, len(obs), names)
        return write_crops(
            out,
            _batches(foreign, obs, shown=progress),
            channels=names,
            size=foreign.shape[2],
            provenance=about,
            masks=foreign.masks,
        )


def _open(
    pixels: Path,
    table: Path | None,
    channels: Sequence[str] | None,
    dataset: str | None,
    columns: dict[str, str],
) -> AbstractContextManager[Foreign]:
    """Tell the format by the name, and open it."""
    if not pixels.exists():
        raise CropError(f"no file of crops, nor a folder of them, at {pixels}")
    if pixels.is_dir() and not (pixels / TABLE).is_file():
        raise CropError(
            f"{pixels} is a folder without {TABLE}; of folders, only DeepProfiler's single cells can "
            "be imported. Pictures in folders are read by `cellssl crops images`"
        )
    if table is not None and (pixels.is_dir() or pixels.suffix == ".h5sc"):
        raise CropError(f"{pixels} has its own table of cells: leave out {table}")
    if pixels.suffix == ".h5ad":
        raise CropError(f"{pixels} is a crop file already: use it as it is")
    if pixels.is_dir():
        return open_singlecells(pixels, columns=columns, channels=channels)
    if pixels.suffix == ".h5sc":
        return open_h5sc(pixels, columns=columns)
    return open_arrays(pixels, table, dataset=dataset, columns=columns)


def _source(pixels: Path, table: Path | None) -> dict[str, str]:
    """Say which files the crops are from."""
    about = {"file": pixels.name, "sha256": sha256(pixels / TABLE if pixels.is_dir() else pixels)}
    return about if table is None else {**about, "table": table.name}


def _channel_names(foreign: Foreign, channels: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(channels or foreign.channels)
    if not names:
        raise CropError(
            f"{foreign.path} does not say what its channels are: name them in their order with "
            "channels= (--channel DNA --channel Actin …)"
        )
    return names


def _check_pixels(foreign: Foreign, cells: int, channels: Sequence[str]) -> None:
    path, shape = foreign.path, foreign.shape
    if len(shape) != 4 or foreign.dtype.kind not in "uif":
        raise CropError(
            f"{path}: wanted numbers of shape (N, C, H, W), got {foreign.dtype} {shape}"
        )
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


def _batches(foreign: Foreign, obs: pd.DataFrame, *, shown: bool) -> Iterator[CropBatch]:
    for part in track(batches(max(len(obs), 1)), "importing", shown=shown):
        try:
            images, masks = foreign.read(part)
        except OSError as error:
            raise CropError(f"{foreign.path} is damaged ({error}): copy it again") from error
        images = images.astype(images.dtype.newbyteorder("="), copy=False)
        bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
        if len(bad):
            row = part.start + int(bad[0])
            raise CropError(
                f"{foreign.path}: the crop in row {row} (the first is 0; cell {obs.index[row]!r}) "
                "holds NaN or infinite values, wanted finite numbers: mend it, or leave it out of "
                "the pixels and the table"
            )
        yield CropBatch(images=images, masks=masks, obs=obs.iloc[part])
    _LOG.info("imported %d crops", len(obs))

"""DeepProfiler's features, brought to the cells that they describe.

``features/<plate>/<well>/<site>.npz`` holds ``features`` (n, D), ``locations`` (n, 2: x, y) and
``metadata``. The last is a pickled object, which could run anything, and is never read: what it says
is in the crop file or in DeepProfiler's ``index.csv``.
"""

import logging
import zipfile
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from cellssl.columns import CENTRE, FIELD, LABEL, is_text, row_names
from cellssl.crops.exchange.deepprofiler import place_keys
from cellssl.crops.exchange.tables import complete, read_cell_table
from cellssl.crops.store import Crops
from cellssl.errors import CropError
from cellssl.files import make_folder, write_h5ad

_LOG = logging.getLogger(__name__)
_NEAR = 1.0  # pixels between a location and the centre of the crop that it belongs to


def import_features(
    folder: str | Path,
    out: str | Path,
    *,
    crops: Crops | str | Path | None = None,
    index: str | Path | None = None,
    name: str = "DeepProfiler",
) -> Path:
    """Bring DeepProfiler's features into an embedding that `cellssl evaluate` reads.

    Parameters
    ----------
    folder : path
        DeepProfiler's ``features`` folder.
    out : path
        The ``.h5ad`` to make: X (N, D) float32, a row per cell.
    crops : Crops or path, optional
        The same cells as crops, with the centres: features go to the crop whose centre is within a
        pixel, and take over its name and table, so that they can be compared with other embeddings
        cell by cell. Those of no crop are left out and counted.
    index : path, optional
        DeepProfiler's ``index.csv``, where there are no crops: its columns join the table by plate,
        well and site. Cells are then named ``plate/well/site/number``.
    name : str
        What the embedding is called in tables.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    CropError
        When a file is damaged or has no features, or no cell is found among the crops.
    """
    folder, out = Path(folder), Path(out)
    files = sorted(folder.glob("*/*/*.npz"))
    if not files:
        raise CropError(
            f"{folder} holds no <plate>/<well>/<site>.npz: name DeepProfiler's features/"
        )
    features, cells = _read_all(files)
    if crops is not None:
        opened = Crops.open(crops)
        kept, rows = _match(cells, opened)
        features, obs = features[kept], opened.obs.iloc[rows]
    else:
        obs = _described(cells, None if index is None else Path(index))
    embedding = ad.AnnData(features, obs=obs.copy(), uns={"cellssl": {"name": name}})
    make_folder(out.parent)
    write_h5ad(embedding, out)
    return out


def _read_all(files: list[Path]) -> tuple[np.ndarray, pd.DataFrame]:
    """Read all fields; cells whose features are not finite (empty crops) are left out."""
    blocks: list[np.ndarray] = []
    tables: list[pd.DataFrame] = []
    for path in files:
        features, places = _read(path)
        if blocks and features.shape[1] != blocks[0].shape[1]:
            raise CropError(
                f"{path} has {features.shape[1]} features a cell, {files[0]} {blocks[0].shape[1]}: "
                "they are of different models; give each its own folder"
            )
        plate, well, site = path.parts[-3], path.parts[-2], path.stem
        table = pd.DataFrame(places, columns=CENTRE)
        table.insert(0, LABEL, np.arange(1, len(table) + 1))
        blocks.append(features)
        tables.append(table.assign(**dict(zip(FIELD, (plate, well, site), strict=True))))
    features, cells = np.concatenate(blocks), pd.concat(tables, ignore_index=True)
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        _LOG.warning("%d cells have features that are not finite: left out", (~finite).sum())
    return features[finite], cells[finite].reset_index(drop=True)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read (n, D) float32 features and (n, 2) locations, NaN where there are none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            features = np.asarray(stored["features"], np.float32)
            unknown = np.full((len(features), 2), np.nan)
            places = np.asarray(stored.get("locations", unknown), np.float64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise CropError(
            f"{path} is not DeepProfiler's .npz, or it is damaged ({error}): wanted features (n, D)"
        ) from error
    if features.ndim != 2 or places.shape != (len(features), 2):
        raise CropError(
            f"{path} has features of shape {features.shape} and locations of shape {places.shape}: "
            "wanted (n, D) and (n, 2)"
        )
    return features, places


def _match(cells: pd.DataFrame, crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """Find the crop of each cell: which cells have one, and which it is."""
    if not set(CENTRE) <= set(crops.obs):
        raise CropError(
            f"{crops.path} does not know the centres of its cells ({', '.join(CENTRE)}): "
            "features cannot be matched; leave out crops= (--crops) and give index= (--index)"
        )
    ours, centres = _by_field(crops.obs)
    theirs, places = _by_field(cells)
    rows = np.full(len(cells), -1)
    for field in ours.keys() & theirs.keys():
        distances, nearest = KDTree(centres[ours[field]]).query(places[theirs[field]])
        rows[theirs[field]] = np.where(distances <= _NEAR, ours[field][nearest], -1)
    kept = np.flatnonzero(rows >= 0)
    if not len(kept):
        raise CropError(
            f"none of the {len(cells):,} cells with features lies within a pixel of a crop in "
            f"{crops.path}: are plates, wells and sites called alike (e.g. {place_keys(cells)[0]})?"
        )
    if len(np.unique(rows[kept])) < len(kept):
        raise CropError(f"several cells with features lie at one crop of {crops.path}")
    if len(kept) < len(cells):
        _LOG.warning("%d of %d cells have no crop: left out", len(cells) - len(kept), len(cells))
    return kept, rows[kept]


def _by_field(cells: pd.DataFrame) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Give the numbers of the cells of each field whose centre is known; the centres of all (N, 2)."""
    centres = cells[CENTRE].to_numpy(np.float64)
    known = np.flatnonzero(np.isfinite(centres).all(axis=1))
    fields = pd.Series(place_keys(cells.iloc[known]))
    return {str(name): known[own] for name, own in fields.groupby(fields).indices.items()}, centres


def _described(cells: pd.DataFrame, index: Path | None) -> pd.DataFrame:
    """Join DeepProfiler's index.csv, a row per field, by plate, well and site."""
    names = row_names(cells[[*FIELD, LABEL]])
    if index is not None:
        table, columns = read_cell_table(index, {})
        fields = table.rename(columns=columns)
        missing = [name for name in FIELD if name not in fields]
        if missing:
            raise CropError(f"{index} has no column {', '.join(missing)}")
        described = [column for column in fields if str(column).startswith("Metadata_")]
        fields = fields[described].drop_duplicates(FIELD)
        cells = cells.merge(fields, on=FIELD, how="left", validate="many_to_one")
    cells = complete(cells, "DMSO", r"Week\d+")
    for name in cells.columns:
        if is_text(cells[name]):
            cells[name] = cells[name].fillna("").astype(str)
    return cells.set_index(pd.Index(names))

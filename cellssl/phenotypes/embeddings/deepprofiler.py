"""Features in DeepProfiler's folders: ``features/<plate>/<well>/<site>.npz`` and ``index.csv``.

Each ``.npz`` holds ``features`` (n, D) and ``locations`` (n, 2: x, y). DeepProfiler's third array,
``metadata``, is a pickled object, and is neither written nor read: what it says is in ``index.csv``, and of
each cell in ``cells.parquet``, which the other programs need not look at.
"""

import zipfile
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import CENTRE, FIELD, PLATE, SITE, WELL
from cellssl.errors import EmbeddingError
from cellssl.files import new_folder
from cellssl.phenotypes.embeddings.profile_tables import (
    described_table,
    read_profile_table,
    write_parquet,
)
from cellssl.phenotypes.embeddings.record import CELL

CELLS, INDEX, FEATURES = "cells.parquet", "index.csv", "features"


def write_profile_folder(cells: ad.AnnData, X: NDArray[np.float32], out: Path) -> None:
    """Write features (N, D) field by field; the folder must be new or empty."""
    places = _places(cells.obs)
    table, _, record = described_table(cells)
    centres = np.full((len(table), 2), np.nan)
    if set(CENTRE) <= set(table.columns):
        centres = table[CENTRE].to_numpy(dtype=np.float64)
    with new_folder(out, error=EmbeddingError) as part:
        for place, rows in places.groupby(FIELD, sort=True).indices.items():
            path = _file(part, place)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, features=X[rows], locations=centres[rows])
        _index(table, places).to_csv(part / INDEX, index=False)
        write_parquet(table.reset_index(drop=True), record, part / CELLS)


def is_profile_folder(path: Path) -> bool:
    """Tell a folder that `write_profile_folder` wrote."""
    return (path / CELLS).is_file() and (path / FEATURES).is_dir()


def read_profile_folder(path: Path) -> ad.AnnData:
    """Read what `write_profile_folder` wrote."""
    table, record = read_profile_table(path / CELLS, "parquet")
    if record is None or CELL not in table:
        raise EmbeddingError(f"{path / CELLS} was not written by `cellssl export`.")
    named = table.set_axis(pd.Index(table[CELL].astype(str)).rename(None))
    obs = record.restore(named.drop(columns=CELL))
    X = np.empty((len(table), len(record.features)), dtype=np.float32)
    for place, rows in _places(obs).groupby(FIELD, sort=True).indices.items():
        X[rows] = _read_field(_file(path, place), (len(rows), X.shape[1]))
    return ad.AnnData(X, obs=obs, var=record.restore_var(), uns={"cellssl": record.uns()})


def _places(obs: pd.DataFrame) -> pd.DataFrame:
    """Give plate, well and site of each cell as text; they name folders and files."""
    missing = [name for name in (PLATE, WELL) if name not in obs.columns]
    if missing:
        raise EmbeddingError(
            f"DeepProfiler keeps features by plate, well and site: the cells have no {', '.join(missing)}. "
            "Take .parquet or .csv."
        )
    places = obs[[PLATE, WELL]].astype(str)
    places[SITE] = obs[SITE].astype(str) if SITE in obs.columns else "1"
    for name in FIELD:
        odd = [text for text in places[name].unique() if Path(text).name != text or "\\" in text]
        if odd:
            raise EmbeddingError(
                f"{name} {odd[0]!r} cannot name a folder: rename it, without slashes."
            )
    return places.reset_index(drop=True)


def _file(folder: Path, place: Any) -> Path:
    """Find the file of a plate, well and site."""
    plate, well, site = place
    return folder / FEATURES / plate / well / f"{site}.npz"


def _index(table: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """List the fields, with the columns whose value is one and the same in each field."""
    others = table.drop(columns=[CELL, *(name for name in FIELD if name in table.columns)])
    grouped = others.reset_index(drop=True).groupby([places[name] for name in FIELD], sort=True)
    alike = grouped.nunique(dropna=False).le(1).all()
    return grouped.first()[alike.index[alike]].reset_index()


def _read_field(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Read a field's features; nothing is unpickled."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            features = np.asarray(stored["features"], dtype=np.float32)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise EmbeddingError(f"{path} is missing or damaged ({error}): export it again.") from error
    if features.shape != shape:
        raise EmbeddingError(f"{path} holds features {features.shape}, {CELLS} says {shape}.")
    return features

"""Profiles as tables, CSV or Parquet, named as pycytominer expects: `Metadata_` and `Cells_` columns."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cellssl.columns import FIELD, LABEL, row_names
from cellssl.errors import EmbeddingError, first_line
from cellssl.files import atomic, write_csv, write_text
from cellssl.phenotypes.embeddings.record import CELL, Record
from cellssl.punctuation import punctuation_of
from cellssl.words import listed

_LOG = logging.getLogger(__name__)

# What may name the cells of a table, besides plate, well, site and label together.
NAMES = (CELL, "obs_names", "obs_name", "cell_id", "index")
_NAMELESS = "Unnamed: "  # as pandas calls a column without a name
# What cellssl itself writes about cells: never features.
OWN_COLUMNS = ("leiden", "kmeans")
OWN_PREFIXES = ("Metadata_", "Quality_", "Area_")
# Numbers under such names, in small letters, say where a cell lies and what was done to it: never features.
_PLACES = (
    "plate",
    "well",
    "site",
    "field",
    "row",
    "column",
    "batch",
    "imagenumber",
    "objectnumber",
)
_DOSES = ("concentration", "conc", "dose")
IDENTITY = [*FIELD, LABEL]

METADATA = "Metadata_"
# pycytominer finds features by the compartment that their name begins with.
COMPARTMENTS = ("Cells_", "Nuclei_", "Cytoplasm_", "Image_")
_KEY = b"cellssl"
_MUCH = 200e6  # bytes of text that take longer than a breath
_BLOCK = 64  # features that are taken from a table at a time
# Numbers from text to the last bit: pandas 3 reads them so, and wants no word about it.
_EXACTLY: dict[str, Any] = (
    {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
)


def described_table(cells: ad.AnnData) -> tuple[pd.DataFrame, dict[str, str], Record]:
    """Give the cells' table and the features under the names that others expect.

    Returns
    -------
    obs : DataFrame
        The cells' columns, each with `Metadata_` in front, and `Metadata_Cell`; index obs_names.
    features : dict
        Name in the file → name of the feature.
    record : Record
        The way back.

    Raises
    ------
    EmbeddingError
        When two columns would have one name.
    """
    obs = {_prefixed(str(name), (METADATA,)): str(name) for name in cells.obs.columns}
    features = {_prefixed(str(name), COMPARTMENTS): str(name) for name in cells.var_names}
    for own, found, there in ((cells.obs.columns, obs, "obs"), (cells.var_names, features, "var")):
        if len(found) < len(own) or (there == "obs" and CELL in found):
            raise EmbeddingError(
                f"two columns of {there} would have one name in the file ({_clash(own, found)}): rename one."
            )
    table = cells.obs.rename(columns={own: name for name, own in obs.items()})
    table.insert(0, CELL, cells.obs_names.astype(str))
    return table, features, Record.of(cells, obs, features)


def _prefixed(name: str, prefixes: tuple[str, ...]) -> str:
    return name if name.startswith(prefixes) else prefixes[0] + name


def _clash(own: pd.Index, found: dict[str, str]) -> str:
    """Name a column that lost its place to another, or to the cells' names."""
    lost = [str(name) for name in own if str(name) not in found.values()]
    return lost[0] if lost else CELL


def write_profile_table(cells: ad.AnnData, X: np.ndarray, out: Path) -> None:
    """Write one row a cell; in a CSV's case its record into a JSON file beside it.

    Parameters
    ----------
    cells : AnnData
    X : (N, D) float32
        Its features.
    out : Path
        ``.parquet``, ``.csv`` or ``.csv.gz``.
    """
    obs, features, record = described_table(cells)
    numbers = pd.DataFrame(X, columns=list(features), index=obs.index)
    table = pd.concat([obs, numbers], axis=1).reset_index(drop=True)
    if out.suffix.lower() == ".parquet":
        write_parquet(table, record, out)
        return
    write_csv(table, out)
    write_text(record.to_json(), _beside(out))


def write_parquet(table: pd.DataFrame, record: Record, out: Path) -> None:
    """Write a Parquet file that carries its record in the schema."""
    content = pa.Table.from_pandas(table, preserve_index=False)
    known = content.schema.metadata or {}
    content = content.replace_schema_metadata({**known, _KEY: record.to_json().encode()})
    with atomic(out) as part:
        pq.write_table(content, part)


def read_profile_table(path: Path, kind: str) -> tuple[pd.DataFrame, Record | None]:
    """Read a CSV or Parquet table, and its record where it has one."""
    try:
        if kind == "parquet":
            stored = (pq.read_schema(path).metadata or {}).get(_KEY)
            # Column by column, each let go of as it is taken over: thousands of features fill memory.
            stream = pq.read_table(path, pre_buffer=False)
            table = stream.to_pandas(split_blocks=True, self_destruct=True)
            return table, None if stored is None else Record.from_json(stored)
        if (size := path.stat().st_size) > _MUCH:
            message = "%s holds %.1f GB of text, which takes minutes to read: Parquet takes seconds, in less memory"
            _LOG.info(message, path, size / 1e9)
        beside = _beside(path)
        record = Record.from_json(beside.read_bytes()) if beside.is_file() else None
        if record is None:
            separator, point = punctuation_of(path)
            how: dict[str, Any] = {"sep": separator, "decimal": point, "low_memory": False}
            return pd.read_csv(path, **how, **_EXACTLY), None
        # What describes the cells stays the text that it is, until its type is put back.
        texts = dict.fromkeys([CELL, *record.obs], str)
        empty: dict[str, list[str]] = {name: [] for name in texts}
        how = {"dtype": texts, "na_values": empty, "keep_default_na": False}
        return pd.read_csv(path, **how, **_EXACTLY), record
    except (OSError, ValueError) as error:
        raise EmbeddingError(f"{path} cannot be read as a table: {first_line(error)}") from error


def _beside(path: Path) -> Path:
    """Name the file with a CSV's record: wells.csv.gz → wells.cellssl.json."""
    return path.with_name(f"{path.name.removesuffix('.gz').removesuffix('.csv')}.cellssl.json")


def from_table(table: pd.DataFrame, record: Record | None, path: Path) -> ad.AnnData:
    """Part a table into what describes cells and what is a feature; X may have no columns."""
    if table.columns.duplicated().any():
        twice = table.columns[table.columns.duplicated()][0]
        raise EmbeddingError(f"{path}: the column {twice!r} occurs twice.")
    table = _without_row_numbers(table, path)
    known = {} if record is None else record.features
    features = [name for name in known if name in table.columns]
    if not features:
        features = [name for name in table.columns if _is_feature(table[name])]
        _refuse_places(features, path)
    obs = table.drop(columns=[*features, *(name for name in NAMES if name in table.columns)])
    obs = obs.set_axis(_cell_names(table))
    if record is not None:
        obs = record.restore(obs)
    try:
        X = _read_features(table, features)
    except ValueError as error:
        raise EmbeddingError(f"{path}: a feature holds text ({error}).") from error
    cells = ad.AnnData(X, obs=obs)
    cells.var_names = [str(known.get(name, name)) for name in features]
    if record is not None:
        cells.uns["cellssl"] = record.uns()
        if len(features) == len(known):
            cells.var = record.restore_var()
    return cells


def _read_features(table: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Take columns of a table as (N, D) float32, some at a time: all at once would be in memory twice more."""
    X = np.empty((len(table), len(names)), np.float32)
    for first in range(0, len(names), _BLOCK):
        block = list(names[first : first + _BLOCK])
        X[:, first : first + _BLOCK] = table[block].to_numpy(dtype=np.float32)
    return X


def _without_row_numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Leave the nameless first column out, where it tells rows apart: they are called by it.

    Raises
    ------
    EmbeddingError
        When another column of numbers has no name: whether it is a feature, nobody can tell.
    """
    places = {name: place for place, name in enumerate(table.columns, start=1)}
    first = f"{_NAMELESS}0"
    if first in table.columns[:1] and table[first].is_unique:
        numbers = pd.Index(table[first].astype(str)).rename(None)
        table = table.drop(columns=first).set_axis(numbers)
    nameless = [name for name in table.columns if str(name).startswith(_NAMELESS)]
    for name in nameless:
        if table[name].notna().any():
            raise EmbeddingError(
                f"{path}: column {places[name]} has no name: name it, or leave it out."
            )
    return table.drop(columns=nameless) if nameless else table


def _is_feature(column: pd.Series) -> bool:
    """Tell a feature by its type and name."""
    name = str(column.name)
    if name.startswith(OWN_PREFIXES) or name in (*NAMES, *OWN_COLUMNS):
        return False
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _refuse_places(features: list[str], path: Path) -> None:
    """Refuse numbers of plates or doses as features: they would tell what is asked of the others."""
    found = [name for name in features if str(name).lower() in (*_PLACES, *_DOSES)]
    if found:
        renamed = ", ".join(f"{METADATA}{name}" for name in found)
        raise EmbeddingError(
            f"{path}: {listed(found)} would be read as features, as all numbers are; what describes the cells "
            f"is called {renamed}: rename, or leave out."
        )


def _cell_names(table: pd.DataFrame) -> pd.Index:
    """Name the cells so that they can be matched with another table's."""
    for name in NAMES:
        if name in table.columns and table[name].is_unique:
            return pd.Index(table[name].astype(str)).rename(None)
    if not isinstance(table.index, pd.RangeIndex) and table.index.is_unique:
        return table.index.astype(str).rename(None)
    if all(name in table.columns for name in IDENTITY):
        joined = pd.Index(row_names(table[IDENTITY]))
        if joined.is_unique:
            return joined
    return pd.Index([str(number) for number in range(len(table))])

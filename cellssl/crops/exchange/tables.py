"""Tables of cells as others write them, and their columns' names in ``obs``."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cellssl.columns import (
    BATCH,
    COMPOUND,
    CONCENTRATION,
    CONTROL,
    FIELD,
    GENE,
    GUIDE,
    LABEL,
    MECHANISM,
    PLATE,
    SITE,
    WELL,
    bare_name,
    plain_name,
    row_names,
    texts_of,
)
from cellssl.controls import tidy_controls
from cellssl.errors import CropError, PlateError
from cellssl.punctuation import punctuation_of
from cellssl.treatments import recognise_treatments, say_doubts
from cellssl.wells import well_from, well_or_name

_LOG = logging.getLogger(__name__)

_KNOWN = {
    "plate": PLATE,
    "well": WELL,
    "site": SITE,
    "field": SITE,
    "batch": BATCH,
    "compound": COMPOUND,
    "treatment": COMPOUND,
    "concentration": CONCENTRATION,
    "dose": CONCENTRATION,
    "gene": GENE,
    "guide": GUIDE,
    "moa": MECHANISM,
    "control": CONTROL,
}
_PREFIXES = ("Metadata_", "Quality_", "Area_")
# Who a cell is: read as text, however much it looks like a number.
_TEXTS = ("plate", "well", "site", "field", "compound", "treatment", "gene", "guide", "moa")
_MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "None")  # of numbers; a text stays
_MUCH = 200e6  # bytes that take longer than a breath
# Of columns that tell the cells of a field apart.
_LABELS = ("label", "cellid", "objectnumber", "cellindex", "scportraitcellid")


def read_cell_table(path: Path, columns: dict[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read the CSV and its columns' names in obs; what identifies a cell stays as written, and so do classes as `01`.

    Columns may be parted by semicolons or tabs, and then have decimal commas.
    """
    try:
        separator, point = punctuation_of(path)
        if (size := path.stat().st_size) > _MUCH:
            _LOG.info("reading %.1f GB of text in %s, which takes minutes", size / 1e9, path)
        names = name_columns(pd.read_csv(path, sep=separator, nrows=0), columns)
        texts = {
            name: str
            for name, own in names.items()
            if {plain_name(name), plain_name(own)} & set(_TEXTS)
        }
        missing = {name: list(_MISSING) for name in names if name not in texts}

        def read(types: Mapping[str, type], only: list[str] | None = None) -> pd.DataFrame:
            return pd.read_csv(
                path,
                sep=separator,
                decimal=point,
                usecols=only,
                dtype=types,
                keep_default_na=False,
                na_values=missing,
            )

        table = read(texts)
        whole = [
            name
            for name, own in names.items()
            if name not in texts and plain_name(own) not in _LABELS and _is_whole(table[name])
        ]
        if whole:
            table = table.assign(**_padded(read(dict.fromkeys(whole, str), whole)))
        for name in texts:  # `taxol ` is no other compound
            table[name] = table[name].str.strip()
        return table, names
    except UnicodeDecodeError as error:
        raise CropError(
            f"the table of cells {path} is no text in UTF-8 ({error}): save it as CSV UTF-8 from the program that "
            "wrote it"
        ) from error
    except (OSError, ValueError) as error:
        raise CropError(f"the table of cells {path} cannot be read as CSV: {error}") from error


def _is_whole(column: pd.Series) -> bool:
    """Say whether a column has whole numbers alone."""
    return column.dtype.kind in "iuf" and bool((column.dropna() % 1 == 0).all())


def _padded(texts: pd.DataFrame) -> dict[str, pd.Series]:
    """Give the columns that write zeros in front: as numbers, `01` and `1` would be one class."""
    return {
        str(name): column.fillna("").str.strip()
        for name, column in texts.items()
        if column.str.match(r"\s*[+-]?0\d", na=False).any()
    }


def whole_names(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Write numbers that say who a cell is as they were given: beside a gap, pandas makes 101.0 of 101."""
    numbers = [
        name
        for name, own in names.items()
        if {plain_name(name), plain_name(own)} & set(_TEXTS)
        and table[name].dtype.kind == "f"
        and _is_whole(table[name])
    ]
    return table.assign(**{name: texts_of(table[name].astype("Int64")) for name in numbers})


def name_columns(cells: pd.DataFrame, columns: dict[str, str]) -> dict[str, str]:
    """Find the names in obs of the CSV's columns."""
    missing = sorted(set(columns) - set(cells.columns))
    if missing:
        raise CropError(
            f"the table has no column {', '.join(missing)}; it has {', '.join(cells.columns)}: name one of "
            "them with columns= (--column COLUMN=Well)"
        )
    given = {name: _meaning(wanted) for name, wanted in columns.items()}
    full = {
        name: name if name.startswith(_PREFIXES) else f"Metadata_{name}" for name in cells.columns
    }
    taken = {given.get(name, own) for name, own in full.items()}
    names: dict[str, str] = {}
    for name, own in full.items():
        known = _KNOWN.get(plain_name(name), own)
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
    known = {**_KNOWN, "label": LABEL}
    return known.get(plain_name(wanted), f"Metadata_{wanted}")


def complete(obs: pd.DataFrame, negative_control: str | None, batch_pattern: str) -> pd.DataFrame:
    """Add what the names imply: wells, treatments, controls and batches in their usual form; say what is left open."""
    _complete_wells(obs)
    obs = recognise_treatments(obs)
    say_doubts(obs)
    if CONTROL in obs:
        obs[CONTROL] = tidy_controls(obs[CONTROL])
    agents = [name for name in (COMPOUND, GENE) if name in obs]
    if CONTROL not in obs and agents and negative_control is not None:
        names = obs[agents].apply(lambda column: texts_of(column).str.lower())
        negative = (names == negative_control.strip().lower()).any(axis=1)
        obs[CONTROL] = np.where(negative, "negative", "")
        if not negative.any():
            _LOG.warning(
                "no cell's %s is %r: no negative control is known. Name it (--negative of `cellssl "
                "crops import`), or give a column Metadata_Control",
                " or ".join(bare_name(name).lower() for name in agents),
                negative_control,
            )
    if BATCH not in obs:
        batch = obs[PLATE].astype(str).str.extract(f"^({batch_pattern})")[0]
        if len(obs) and batch.notna().all():
            obs[BATCH] = batch
    return obs


def _complete_wells(obs: pd.DataFrame) -> None:
    """Give wells their usual form; where there are none, put them together from rows and columns."""
    if WELL in obs:
        named = obs[WELL].fillna("")
        obs[WELL] = named.map({name: well_or_name(name) for name in named.unique()})
        if (obs[WELL] != "").any():
            return
    rows = obs.get("Metadata_Row")
    columns = obs.get("Metadata_Column", obs.get("Metadata_Col"))
    try:
        if rows is not None and columns is not None:
            obs[WELL] = [well_from(*place) for place in zip(rows, columns, strict=True)]
            return
    except PlateError:
        pass  # of something else than wells
    if len(set(obs[PLATE])) == 1 and set(_KNOWN.values()).isdisjoint(obs.columns.drop(PLATE)):
        return  # photographs, not a screen
    _LOG.warning(
        "the table names no wells (a column Well, or Row and Column): nothing is scored or drawn by well. Where "
        "another column has them, name it: --column COLUMN=Well"
    )


def cell_names(obs: pd.DataFrame, cells: pd.DataFrame, label: str | None) -> list[str]:
    """Name each cell plate/well/site/label, leaving out what the table lacks."""
    if label is not None and label not in cells:
        raise CropError(f"the table has no column {label!r}; it has {', '.join(cells.columns)}")
    table = cells
    if label is None:
        table = obs
        plain = {plain_name(name): name for name in reversed(obs.columns)}
        label = next((plain[name] for name in _LABELS if name in plain), None)
    labels = table[label] if label is not None else pd.Series(np.arange(1, len(cells) + 1))
    places = [name for name in FIELD if name in obs]
    names = pd.Series(row_names(obs[places].assign(Label=labels.to_numpy())))
    twice = names[names.duplicated()]
    if len(twice):
        raise CropError(
            f"{len(twice)} cells share their name with another, e.g. {twice.iloc[0]!r}: column "
            f"{label!r} does not tell the cells of a field apart; name one that does with label= "
            "(--column COLUMN=Label)"
        )
    return names.tolist()

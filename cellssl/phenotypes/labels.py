"""Which column of the cells' table is meant."""

import logging

import pandas as pd

from cellssl.columns import (
    COMPOUND,
    CONTROL,
    GENE,
    MECHANISM,
    PLATE,
    TREATMENTS,
    bare_name,
    find_column,
)
from cellssl.errors import EmbeddingError, nearest
from cellssl.phenotypes.columns import one_column, text_column, text_values, well_names

_LOG = logging.getLogger(__name__)

_USUAL = (
    MECHANISM,
    "Metadata_Phenotype",
    COMPOUND,
    GENE,
    CONTROL,
    "Metadata_Class",
)


def choose_label(
    obs: pd.DataFrame, label: str | None = None, *, option: str = "--label"
) -> str | None:
    """Find the column to score against.

    Parameters
    ----------
    obs : DataFrame
        The cells.
    label : str, optional
        A column, with or without ``Metadata_``, in any case. When left out: see `usual_label`.
    option : str
        What names a column where the user is, for what is said.

    Returns
    -------
    str or None
        The column's name; None when none was asked for and none of the usual ones is there.

    Raises
    ------
    EmbeddingError
        When the column that was asked for is not there, with the nearest name.

    Examples
    --------
    >>> choose_label(pd.DataFrame({"Metadata_MOA": ["Actin", "DMSO"]}), "moa")
    'Metadata_MOA'
    """
    if label is None:
        usual = usual_label(obs)
        if usual is not None:
            _LOG.info("scoring against %s (%s chooses another)", usual, option)
        return usual
    found = find_column(obs.columns, one_column(label))
    if found is not None:
        return found
    near = nearest(label, obs.columns, listed=True) or "."
    raise EmbeddingError(f"the cells have no column {label!r}{near} {columns_there(obs)}")


def usual_label(obs: pd.DataFrame) -> str | None:
    """Find the first of MOA, Phenotype, Compound, Gene, Control, Class that has at least two values.

    Controls come before compounds, or genes, most of which are on one plate only, or in one well of the only
    plate: as in a screen, nothing elsewhere could be learnt of these. Else they would leave all
    treated cells without a label.
    """
    there = [name for name in _USUAL if name in obs and len(set(obs[name].dropna()) - {""}) > 1]
    if CONTROL in there:
        agents = {agent for agent, _ in TREATMENTS}
        there = [name for name in there if name not in agents or _are_repeated(obs, name)]
    return next(iter(there), None)


def _are_repeated(obs: pd.DataFrame, agent: str) -> bool:
    """Tell whether most compounds or genes are on several plates, or in several wells of the only plate."""
    places = text_column(obs, PLATE)
    if places is None or len(set(places)) == 1:
        places = well_names(obs)
    if places is None:
        return True
    names = text_values(obs[agent], agent)
    counts = pd.Series(places).groupby(names).nunique().drop("", errors="ignore")
    return bool((counts > 1).mean() > 0.5)


def require_label(obs: pd.DataFrame, label: str | None = None, *, option: str = "--label") -> str:
    """Find the column to score against as `choose_label` does; there must be one.

    Raises
    ------
    EmbeddingError
        When there is none.
    """
    found = choose_label(obs, label, option=option)
    if found is None:
        raise EmbeddingError(
            f"these cells need a label, and no usual one ({', '.join(map(bare_name, _USUAL))}) has two "
            f"values: name a column ({option}). {columns_there(obs)}"
        )
    return found


def columns_there(obs: pd.DataFrame) -> str:
    """List the columns that may be meant; without the usual names say what these are."""
    named = [str(name) for name in obs.columns if str(name).startswith("Metadata_")]
    if named:
        return f"There are: {', '.join(named)}."
    others = ", ".join(map(str, obs.columns)) or "no columns at all"
    return (
        f"There are: {others}. Plates, wells and compounds are found in columns called Metadata_Plate, "
        "Metadata_Well, Metadata_Compound: rename them."
    )

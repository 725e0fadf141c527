"""What a treatment is called: compound and concentration, gene and guide, or whatever columns one names."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import (
    COMPOUND,
    CONTROL,
    GENE,
    GUIDE,
    PLATE,
    TREATMENTS,
    WELL,
    agent_column,
    bare_name,
)
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.columns import number_texts, require_column, text_values, well_names
from cellssl.phenotypes.controls import is_negative

# The treatment of negative-control cells that name none.
NEGATIVE = "negative control"


def name_treatments(
    obs: pd.DataFrame, by: str | Sequence[str] | None = None, *, control: str | None = CONTROL
) -> tuple[NDArray[np.str_], list[str]]:
    """Name each cell's treatment.

    Parameters
    ----------
    obs : DataFrame (N rows)
    by : str or sequence of str, optional
        Columns whose values together name a treatment. When left out: compound and concentration, else
        gene and guide; of cells that name neither every well is its own treatment.
    control : str, optional
        Column that says `negative` for the negative control; where such cells name no treatment
        they are called "negative control".

    Returns
    -------
    names : (N,) str
        Empty where a cell has no treatment.
    columns : list of str
        The columns that they come from.

    Raises
    ------
    EmbeddingError
        When a column does not exist, or holds another number for nearly every cell.
    """
    columns = _treatment_columns(obs, by)
    return name_controls(_joined_names(obs, columns), obs, control), columns


def name_controls(
    treatments: NDArray[np.str_], obs: pd.DataFrame, control: str | None
) -> NDArray[np.str_]:
    """Call the treatment of negative controls that name none "negative control".

    Parameters
    ----------
    treatments : (N,) str
        Treatment of each cell.
    obs : DataFrame
        N rows.
    control : str, optional
        Column that says `negative` for the negative control.
    """
    return np.where((treatments == "") & is_negative(obs, control), NEGATIVE, treatments)


def treatment_names(obs: pd.DataFrame) -> NDArray[np.str_] | None:
    """Name each cell's compound and concentration, or gene and guide; None when neither is known."""
    return None if agent_column(obs) is None else _joined_names(obs, _treatment_columns(obs, None))


def _treatment_columns(obs: pd.DataFrame, by: str | Sequence[str] | None) -> list[str]:
    """Find the columns that name a treatment."""
    if by is None:
        agent = agent_column(obs)
        if agent is None and WELL not in obs.columns:
            require_column(obs, COMPOUND, purpose="the treatment")
        wells = (PLATE, WELL)
        usual = wells if agent is None else (agent, dict(TREATMENTS)[agent])
        return [name for name in usual if name in obs.columns]
    wanted = [by] if isinstance(by, str) else list(by)
    if not wanted:
        raise EmbeddingError("`by` is empty: name at least one column of obs.")
    found = [str(require_column(obs, name, purpose="the treatment").name) for name in wanted]
    for name in found:
        _refuse_measures(obs, name)
    return found


def _refuse_measures(obs: pd.DataFrame, name: str) -> None:
    """Refuse a column in which nearly every cell of a well has a number of its own."""
    wells = well_names(obs)
    if wells is None or not pd.api.types.is_float_dtype(obs[name]):
        return
    numbers = obs[name].nunique()
    if numbers > max(len(set(wells)), len(obs) / 2):
        raise EmbeddingError(
            f"{name} holds {numbers:,} numbers in {len(obs):,} cells: it is measured of each cell, and names no "
            "treatment. Name columns of what was done to wells, such as Compound and Concentration."
        )


def _joined_names(obs: pd.DataFrame, columns: list[str]) -> NDArray[np.str_]:
    """Name each cell's treatment; empty where the first column is."""
    if columns in ([WELL], [PLATE, WELL]) and (wells := well_names(obs)) is not None:
        return wells
    # Concentrations may be many different numbers, names of all else may not.
    parts = [
        number_texts(obs[name])
        if pd.api.types.is_float_dtype(obs[name])
        else text_values(obs[name], name)
        for name in columns
    ]
    if pd.api.types.is_numeric_dtype(obs[columns[0]]):  # a bare number names nothing
        plain = bare_name(columns[0])
        parts[0] = np.where(parts[0] == "", "", np.char.add(f"{plain} ", parts[0]))
    joined = parts[0]
    for part in parts[1:]:
        joined = np.where(part == "", joined, np.char.add(np.char.add(joined, " "), part))
    if columns == [GENE, GUIDE]:
        joined = _named_once(parts[0], parts[1], joined)
    return np.where(parts[0] == "", "", joined)


def _named_once(
    genes: NDArray[np.str_], guides: NDArray[np.str_], joined: NDArray[np.str_]
) -> NDArray[np.str_]:
    """Leave out a gene that its guide begins with, TP53 of TP53_1, unless two would be called alike."""
    pairs = pd.DataFrame({"gene": genes, "guide": guides, "long": joined}).drop_duplicates()
    begins = [
        gene != "" and guide.startswith(gene) and not guide[len(gene) : len(gene) + 1].isalnum()
        for gene, guide in zip(pairs["gene"], pairs["guide"], strict=True)
    ]
    pairs["short"] = np.where(begins, pairs["guide"], pairs["long"])
    named = pairs[pairs["gene"] != ""]
    if named["short"].nunique() < named["long"].nunique():
        return joined
    return (
        pd.Series(joined).map(dict(zip(pairs["long"], pairs["short"], strict=True))).to_numpy(str)
    )

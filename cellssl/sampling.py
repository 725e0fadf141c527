"""Which cells are embedded: those of a column, or a seeded sample in which every well has its share."""

import numpy as np
import pandas as pd

from cellssl.columns import PLATE, WELL, find_column, texts_of
from cellssl.errors import EmbeddingError


def sample_wells(obs: pd.DataFrame, n: int, *, seed: int = 0) -> np.ndarray:
    """Draw cells evenly over the wells.

    Every well of every plate gives the same number of cells, or all it has where it has fewer; the
    cells that do not divide evenly come from wells drawn at random. The draw depends on the seed
    and the table alone, so that all embeddings of the same cells are sampled alike.

    Parameters
    ----------
    obs : DataFrame
        Cells, with Metadata_Plate and Metadata_Well where there are such.
    n : int
        Cells wanted; all are taken when there are not so many.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray
        Row numbers, int64, in ascending order.
    """
    if n < 1:
        raise EmbeddingError(f"a sample needs at least one cell, got sample={n}.")
    random = np.random.default_rng(seed)
    wells = _wells(obs)
    shuffled = random.permutation(len(obs))
    # Each cell's turn: how many cells of its own well were drawn before it. Taking cells by turn
    # takes one of each well, then a second of each that has two, and so on.
    turn = pd.Series(wells[shuffled]).groupby(wells[shuffled]).cumcount().to_numpy()
    chosen = shuffled[np.argsort(turn, kind="stable")[: int(n)]]
    return np.sort(chosen)


def in_order(values: object, names: pd.Index) -> np.ndarray:
    """Give a value for each cell as an array; those of a Series go to the cells of their names.

    Raises
    ------
    EmbeddingError
        When a Series lacks a cell, or names one twice.

    Examples
    --------
    >>> in_order(pd.Series([True, False], index=["b", "a"]), pd.Index(["a", "b"])).tolist()
    [False, True]
    """
    if not isinstance(values, pd.Series) or values.index.equals(names):
        return np.asarray(values)
    found = names.isin(values.index)
    if not found.all() or not values.index.is_unique:
        raise EmbeddingError(
            f"a Series goes by the cells' names, and this one names {found.sum()} of {len(names)} cells, of "
            f"{len(values)} rows: .reindex(obs.index, fill_value=False) fills it up; where its order is the cells' "
            "own, give .to_numpy()."
        )
    return values.reindex(names).to_numpy()


def chosen_cells(obs: pd.DataFrame, where: str | np.ndarray | pd.Series) -> np.ndarray:
    """Read a column of truth values, also as text or 0 and 1: (N,) bool; or take them as `in_order` does.

    Raises
    ------
    EmbeddingError
        When there is no such column (see `find_column`), or it holds something else; or
        when there is not one truth value for each cell.

    Examples
    --------
    >>> chosen_cells(pd.DataFrame({"Metadata_Good": ["yes", "no", ""]}), "Good").tolist()
    Traceback (most recent call last):
    ...
    cellssl.errors.EmbeddingError: Metadata_Good must be true or false for each cell, got 'no'.
    >>> chosen_cells(pd.DataFrame({"Metadata_Good": [1, 0, 1]}), "Good").tolist()
    [True, False, True]
    """
    if not isinstance(where, str):
        where = in_order(where, obs.index)
        if where.dtype != bool or where.shape != (len(obs),):
            raise EmbeddingError(
                f"wanted a truth value for each of {len(obs)} cells, got {where.shape} of {where.dtype}."
            )
        return where
    name = find_column(obs, where)
    if name is None:
        there = ", ".join(map(str, obs))
        raise EmbeddingError(f"the cells have no column {where!r}; there are {there}.")
    values = obs[name]
    if pd.api.types.is_bool_dtype(values) and not values.isna().any():
        return values.to_numpy(dtype=bool)
    text = texts_of(values).str.lower()
    true, false = {"true", "1", "1.0"}, {"false", "0", "0.0", "", "nan", "<na>", "none"}
    odd = sorted(set(text) - true - false)
    if odd:
        raise EmbeddingError(f"{name} must be true or false for each cell, got {odd[0]!r}.")
    return text.isin(true).to_numpy(dtype=bool)


def _wells(obs: pd.DataFrame) -> np.ndarray:
    """Give each cell its well's number over all plates; without such columns, 0."""
    columns = [name for name in (PLATE, WELL) if name in obs]
    if not columns:
        return np.zeros(len(obs), np.int64)
    texts = obs[columns].apply(texts_of)
    return texts.groupby(columns, sort=True).ngroup().to_numpy()

"""What is asked of an embedding: which cells, which classes, kept apart by what."""

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.embeddings import column
from cellssl.scores import Resamples, draw_resamples

__all__ = ["Task", "build_tasks", "text_values", "treatment_names", "well_names"]

log = logging.getLogger(__name__)

# A column of so many different fractional numbers is a measurement, not a set of classes.
MOST_NUMBERS = 50


@dataclass(frozen=True)
class Task:
    """One subset of classes to be told apart.

    Attributes
    ----------
    subset : str
        `all`, or the name of the subset.
    rows : (n,) int64
        The scored cells among the matched ones.
    labels : (n,) str
        Their classes.
    split : str
        What kNN and linear are kept apart by: `plates`, `wells`, a column, or `none`.
    groups : (n,) int64 or None
        Group of each cell; None when there is none.
    confounders : dict
        `plate` and `batch`: (n,) int64, or None where the cells do not say.
    resamples : Resamples
        Draws of treatments, shared by all embeddings.
    """

    subset: str
    rows: NDArray[np.int64]
    labels: NDArray[np.str_]
    split: str
    groups: NDArray[np.int64] | None
    confounders: Mapping[str, NDArray[np.int64] | None]
    resamples: Resamples


def build_tasks(
    obs: pd.DataFrame,
    label: str,
    *,
    subsets: Mapping[str, Sequence[str]] | None = None,
    where: str | None = None,
    groups: str = "auto",
    resamples: int = 400,
) -> tuple[list[Task], dict[str, int]]:
    """Lay down what is scored, before any feature is looked at.

    Returns
    -------
    tasks : list of Task
        All classes first, then the subsets in their order.
    counts : dict
        Cells `matched`, `outside` of `where`, `unlabelled` and `scored`.

    Raises
    ------
    EmbeddingError
        When a column is missing or unfit, or a subset names a class that does not exist.
    """
    labels = text_values(column(obs, label, purpose="the label"), label)
    inside = _truth(obs, where) if where else np.ones(len(obs), dtype=bool)
    labelled = labels != ""
    counts = {
        "matched": len(obs),
        "outside": int((~inside).sum()),
        "unlabelled": int((inside & ~labelled).sum()),
        "scored": int((inside & labelled).sum()),
    }
    if counts["unlabelled"]:
        log.warning("%d cells have no %s and are left out.", counts["unlabelled"], label)
    chosen = np.flatnonzero(inside & labelled)
    if not len(chosen):
        raise EmbeddingError(f"no cell is left to score by {label}: {counts}.")
    classes = np.unique(labels[chosen])
    if len(classes) < 2:
        raise EmbeddingError(
            f"{label} has one class only, {classes[0]!r}: scoring needs at least two."
        )
    split, grouping = _grouping(obs, chosen, groups)
    named = {"all": classes.tolist(), **_checked_subsets(subsets or {}, classes, label)}
    tasks = []
    for name, members in named.items():
        rows = chosen[np.isin(labels[chosen], members)]
        part = obs.iloc[rows]
        draws = draw_resamples(labels[rows], _units(part), count=resamples)
        confounders = {
            "plate": _codes(part, "Metadata_Plate"),
            "batch": _codes(part, "Metadata_Batch"),
        }
        own = None if grouping is None else grouping[rows]
        tasks.append(Task(name, rows, labels[rows], split, own, confounders, draws))
    return tasks, counts


def text_values(values: pd.Series, name: str) -> NDArray[np.str_]:
    """Turn a column into text; missing becomes empty, 1.0 becomes "1".

    Raises
    ------
    EmbeddingError
        When the column holds measurements rather than names.
    """
    missing = values.isna().to_numpy()
    if pd.api.types.is_float_dtype(values):
        present = values[~missing]
        fractional = (present % 1 != 0).any()
        if fractional and present.nunique() > MOST_NUMBERS:
            raise EmbeddingError(
                f"{name} holds {present.nunique()} different numbers, wanted names of classes: "
                "bin it into a new column first."
            )
        text = values.map("{:g}".format, na_action="ignore")
    else:
        text = values.astype(object).astype(str)
    result = text.astype(object).to_numpy(dtype=object)
    result[missing] = ""
    return np.char.strip(result.astype(str))


def treatment_names(obs: pd.DataFrame) -> NDArray[np.str_] | None:
    """Compound and concentration of each cell in one word; None when no compound is known."""
    if "Metadata_Compound" not in obs.columns:
        return None
    names = text_values(obs["Metadata_Compound"], "Metadata_Compound")
    if not (names != "").any():
        return None
    if "Metadata_Concentration" not in obs.columns:
        return names
    doses = obs["Metadata_Concentration"]
    text = doses.map("{:g}".format) if pd.api.types.is_float_dtype(doses) else doses.astype(str)
    return np.char.add(np.char.add(names, " "), text.to_numpy(dtype=str))


def well_names(obs: pd.DataFrame) -> NDArray[np.str_] | None:
    """Plate and well of each cell in one word; None when no well is known."""
    if "Metadata_Well" not in obs.columns:
        return None
    wells = obs["Metadata_Well"].astype(str).to_numpy(dtype=str)
    if "Metadata_Plate" not in obs.columns:
        return wells
    plates = obs["Metadata_Plate"].astype(str).to_numpy(dtype=str)
    return np.char.add(np.char.add(plates, "/"), wells)


def _units(obs: pd.DataFrame) -> list[NDArray[np.str_]]:
    """Give the units of resampling, coarse to fine, as far as the cells say."""
    return [level for level in (treatment_names(obs), well_names(obs)) if level is not None]


def _truth(obs: pd.DataFrame, where: str) -> NDArray[np.bool_]:
    """Read a column of truth values, also as text or 0 and 1."""
    values = column(obs, where, purpose="which cells are scored")
    if pd.api.types.is_bool_dtype(values):
        return values.to_numpy(dtype=bool)
    text = values.astype(str).str.lower()
    true, false = {"true", "1", "1.0"}, {"false", "0", "0.0", "", "nan", "<na>"}
    odd = sorted(set(text) - true - false)
    if odd:
        raise EmbeddingError(f"{where} must be true or false for each cell, got {odd[0]!r}.")
    return text.isin(true).to_numpy(dtype=bool)


def _grouping(
    obs: pd.DataFrame, chosen: NDArray[np.int64], groups: str
) -> tuple[str, NDArray[np.int64] | None]:
    """Choose what training and test are kept apart by."""
    plates, wells = _codes(obs, "Metadata_Plate"), well_names(obs)
    if groups in ("auto", "plate", "plates"):
        if groups != "auto":
            column(obs, "Metadata_Plate", purpose="the plates")
        if plates is not None and (groups != "auto" or len(np.unique(plates[chosen])) > 1):
            return "plates", plates
    if groups in ("auto", "well", "wells"):
        if groups != "auto":
            column(obs, "Metadata_Well", purpose="the wells")
        if wells is not None and (groups != "auto" or len(np.unique(wells[chosen])) > 1):
            return "wells", pd.factorize(wells)[0]
        return "none", None
    return groups, pd.factorize(text_values(column(obs, groups, purpose="the groups"), groups))[0]


def _codes(obs: pd.DataFrame, name: str) -> NDArray[np.int64] | None:
    """Turn a column into numbers; None when it is absent or empty."""
    if name not in obs.columns:
        return None
    values = obs[name].astype(object).where(obs[name].notna(), "").astype(str)
    return None if (values == "").all() else pd.factorize(values)[0].astype(np.int64)


def _checked_subsets(
    subsets: Mapping[str, Sequence[str]], classes: NDArray[np.str_], label: str
) -> dict[str, list[str]]:
    """Make sure that each subset names existing classes, two at least."""
    known = classes.tolist()
    for name, members in subsets.items():
        if name == "all":
            raise EmbeddingError("a subset cannot be called 'all': that is every class.")
        for member in members:
            if member not in known:
                near = difflib.get_close_matches(str(member), known, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise EmbeddingError(
                    f"subset {name!r}: {label} has no class {member!r}; "
                    f"{hint}It has {', '.join(known)}."
                )
        if len(set(members)) < 2:
            raise EmbeddingError(f"subset {name!r} has {len(set(members))} class, wanted two.")
    return {name: list(members) for name, members in subsets.items()}

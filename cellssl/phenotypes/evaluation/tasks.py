"""What is asked of an embedding: which cells, which classes, kept apart by what."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError, nearest
from cellssl.phenotypes.columns import (
    one_column,
    require_column,
    say_empty_names,
    text_values,
    well_names,
)
from cellssl.phenotypes.evaluation.confounders import Confounder, find_confounders
from cellssl.phenotypes.evaluation.mechanisms import Treatments, find_treatments
from cellssl.phenotypes.evaluation.splits import Split, find_split
from cellssl.phenotypes.leakage import KEEP_OUT, USED_PLATES
from cellssl.phenotypes.naming import treatment_names
from cellssl.sampling import chosen_cells, sample_wells
from cellssl.scores import Resamples, draw_resamples
from cellssl.words import listed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One subset of classes to be told apart.

    Attributes
    ----------
    subset : str
        `all`, or the name of the subset.
    rows : (n,) int64
        The cells among the matched ones: those that are scored and, of a test set, those that are
        learnt from.
    labels : (n,) str
        Their classes.
    split : str
        What kNN and linear are kept apart by, see `Split`.
    groups : (n,) int64 or None
        Group of each cell; None when there is none.
    test : (n,) bool or None
        Of a test set: which cells are scored, the others being learnt from. None: all are scored.
    batches : (n,) int64 or None
        Batch of each cell, where plates are kept apart and batches hold several: neighbours on
        another plate of the same batch share its staining. Classes in one batch only are −1.
    confounders : dict
        `plate`, `batch`, and of a well `row`, `column` and `edge`: see `Confounder`, or None where the
        cells do not say.
    resamples : Resamples
        Draws of treatments among the scored cells, shared by all embeddings.
    drawn : str
        Their mark: scores of other tasks with the same one are paired with these.
    treatments : Treatments or None
        Where the label is a mechanism: the treatments whose nearest one is asked for.
    """

    subset: str
    rows: NDArray[np.int64]
    labels: NDArray[np.str_]
    split: str
    groups: NDArray[np.int64] | None
    test: NDArray[np.bool_] | None
    batches: NDArray[np.int64] | None
    confounders: Mapping[str, Confounder | None]
    resamples: Resamples
    drawn: str
    treatments: Treatments | None = None

    @property
    def scored(self) -> NDArray[np.int64]:
        """Places of the m scored cells among the rows."""
        return np.arange(len(self.rows)) if self.test is None else np.flatnonzero(self.test)

    @property
    def truth(self) -> NDArray[np.str_]:
        """Classes of the scored cells (m,)."""
        return self.labels[self.scored]


def build_tasks(
    obs: pd.DataFrame,
    label: str,
    *,
    subsets: Mapping[str, Sequence[str]] | None = None,
    where: str | None = None,
    groups: str = "auto",
    resamples: int = 400,
    controls: NDArray[np.bool_] | None = None,
    fair: NDArray[np.bool_] | None = None,
    sample: int | None = None,
) -> tuple[list[Task], dict[str, int]]:
    """Lay down what is scored, before any feature is looked at.

    Parameters
    ----------
    controls : (N,) bool, optional
        Negative controls, which are no treatments.
    fair : (N,) bool, optional
        Cells whose labels no training used: only these are scored. The others are as for `evaluate`.

    Returns
    -------
    tasks : list of Task
        All classes first, then the subsets in their order.
    counts : dict
        Cells `matched`, `outside` of `where`, `unlabelled` and `scored`; of a test set the cells of
        its `training` set too, with `fair` those that are `used` by a training, and where a sample was
        drawn those that are `labelled`.

    Raises
    ------
    EmbeddingError
        When a column is missing or unfit, or a subset names a class that does not exist.
    """
    labels = text_values(require_column(obs, label, purpose="the label"), label)
    chosen, counts = _scorable_cells(obs, labels, label, where, fair)
    split = find_split(obs, chosen, groups)
    if split.test is None and sample is not None and len(chosen) > sample:
        counts |= {"labelled": len(chosen), "scored": sample}
        _LOG.warning("%d of %d cells are scored, evenly over the wells.", sample, len(chosen))
        chosen = chosen[sample_wells(obs.iloc[chosen], sample)]
    used, scored = split.divide(chosen)
    if split.test is not None:
        counts |= {"scored": len(scored), "training": len(used) - len(scored)}
    classes = np.unique(labels[scored])
    if len(classes) < 2:
        raise EmbeddingError(
            f"{label} has one class only, {str(classes[0])!r}: scoring needs at least two. Choose another "
            "column, or take cells of other classes, too."
        )
    named = _checked_subsets(subsets or {}, classes, label)
    rows = {"all": used}
    rows |= {name: used[np.isin(labels[used], members)] for name, members in named.items()}
    tasks = [
        _task(obs, name, own, labels, split, resamples, label, controls)
        for name, own in rows.items()
    ]
    if any(task.treatments is not None for task in tasks):
        if controls is None:
            _LOG.warning("no column Metadata_Control: NSC takes negative controls for treatments.")
        elif not controls.any():
            _LOG.warning("no cell is a negative control: NSC takes any there are for treatments.")
    return tasks, counts


def _scorable_cells(
    obs: pd.DataFrame,
    labels: NDArray[np.str_],
    label: str,
    where: str | None,
    fair: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Find the cells that can be scored, and count why the others cannot."""
    everywhere = np.ones(len(obs), dtype=bool)
    inside = everywhere if where is None else chosen_cells(obs, one_column(where))
    labelled = labels != ""
    counts = {
        "matched": len(obs),
        "outside": int((~inside).sum()),
        "unlabelled": int((inside & ~labelled).sum()),
        "scored": int((inside & labelled).sum()),
    }
    if fair is not None:
        counts["used"] = int((inside & labelled & ~fair).sum())
        inside = inside & fair
        counts["scored"] = int((inside & labelled).sum())
    if counts["unlabelled"]:
        _LOG.warning("%d cells have no %s and are left out.", counts["unlabelled"], label)
    chosen = np.flatnonzero(inside & labelled)
    say_empty_names(labels[chosen], label)
    if not len(chosen) and counts.get("used"):
        raise EmbeddingError(
            f"training used the labels of all {counts['used']} cells that could be scored by {label}: "
            f"{KEEP_OUT}"
        )
    if not len(obs):
        raise EmbeddingError("there are no cells to score.")
    if not len(chosen):
        outside = f", {counts['outside']:,} are not among those with {where}" if where else ""
        raise EmbeddingError(
            f"no cell is left to score by {label}: of {len(obs):,} cells {counts['unlabelled']:,} have no "
            f"{label}{outside}. Choose another column."
        )
    return chosen, counts


def _task(
    obs: pd.DataFrame,
    subset: str,
    rows: NDArray[np.int64],
    labels: NDArray[np.str_],
    split: Split,
    resamples: int,
    label: str,
    controls: NDArray[np.bool_] | None,
) -> Task:
    """Lay down one subset: its split, confounders, treatments, and the draws of its scored cells."""
    scored = split.divide(rows)[1]
    part, truth = obs.iloc[scored], labels[scored]
    confounders = find_confounders(part)
    # Units of resampling, coarse to fine, as far as the cells say.
    units = [level for level in (treatment_names(part), well_names(part)) if level is not None]
    draws = draw_resamples(truth, units, count=resamples)
    negative = None if controls is None else controls[scored]
    return Task(
        subset=subset,
        rows=rows,
        labels=labels[rows],
        split=split.name,
        groups=None if split.groups is None else split.groups[rows],
        test=None if split.test is None else split.test[rows],
        batches=_batches(confounders, labels[rows]) if split.name == "plates" else None,
        confounders=confounders,
        resamples=draws,
        drawn=draws.mark(part.index),
        treatments=find_treatments(part, truth, label, negative),
    )


def _batches(
    confounders: Mapping[str, Confounder | None], labels: NDArray[np.str_]
) -> NDArray[np.int64] | None:
    """Give the batch of each cell, −1 where its class is in one only; None where it parts nothing more.

    That is where a batch is a plate, and where a plate has cells of several batches: then cells of the
    same plate would be learnt from.
    """
    plate, batch = confounders["plate"], confounders["batch"]
    if plate is None or batch is None:
        return None
    plates, batches = plate.codes, batch.codes
    if not 1 < len(np.unique(batches)) < len(np.unique(plates)):
        return None
    if len(set(zip(plates.tolist(), batches.tolist(), strict=True))) > len(np.unique(plates)):
        return None
    count = pd.Series(batches).groupby(labels).transform("nunique").to_numpy()
    return np.where(count > 1, batches, -1)


def _checked_subsets(
    subsets: Mapping[str, Sequence[str]], classes: NDArray[np.str_], label: str
) -> dict[str, list[str]]:
    """Make sure that each subset names existing classes, two at least."""
    if not isinstance(subsets, Mapping) or any(isinstance(one, str) for one in subsets.values()):
        raise EmbeddingError(f'subsets: wanted {{"name": [classes, …]}}, got {subsets!r}.')
    known = classes.tolist()
    quoted = "; on the command line a name that holds a comma stands in double quotes"
    commas = quoted if any("," in name for name in known) else ""
    for name, members in subsets.items():
        if name in ("all", USED_PLATES):
            raise EmbeddingError(
                f"a subset cannot be called {name!r}: that is cells of every class."
            )
        for member in members:
            if member not in known:
                raise EmbeddingError(
                    f"subset {name!r}: {label} has no class {member!r}; it has "
                    f"{listed(known)}{nearest(member, known, listed=True)}{commas}"
                )
        if len(set(members)) < 2:
            raise EmbeddingError(f"subset {name!r} has {len(set(members))} class, wanted two.")
    return {name: list(members) for name, members in subsets.items()}

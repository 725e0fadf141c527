"""Folds of plates: whose labels a supervised training is told, and whose it has to predict."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from cellssl.columns import PLATE, text_array
from cellssl.errors import StudyError
from cellssl.phenotypes import text_values
from cellssl.phenotypes.evaluation.tasks import Task
from cellssl.phenotypes.leakage import UsedLabels
from cellssl.protocols import Protocol, used_labels
from cellssl.sampling import chosen_cells


@dataclass(frozen=True)
class Fold:
    """Whose labels one training is told, and whose it has to predict.

    Attributes
    ----------
    name : str
        "fold 0", or "unused plates" of weak labels.
    told, asked : (N,) bool
        Cells of the crop file; no plate has cells of both.
    """

    name: str
    told: NDArray[np.bool_]
    asked: NDArray[np.bool_]

    @property
    def folder(self) -> str:
        """What its run's folder begins with."""
        return self.name.replace(" ", "-")


def plates_used(protocol: Protocol, obs: pd.DataFrame) -> NDArray[np.bool_] | None:
    """Tell which cells lie on plates whose labels positives use; None where these are all, or none."""
    if not (protocol.positives.plates or protocol.positives.exclude_plates):
        return None
    own = protocol.model_copy(update={"labels_used": None})
    return UsedLabels.of(used_labels(own, obs)).rows(obs)


def plan_folds(
    obs: pd.DataFrame,
    label: str,
    task: Task,
    *,
    where: str | None,
    folds: int,
    used: NDArray[np.bool_] | None,
) -> list[Fold]:
    """Say whose labels each training is told.

    Raises
    ------
    StudyError
        When that cannot be done with these plates and classes.
    """
    labels = text_values(obs[label], label)
    if used is not None:
        inside = True if where is None else chosen_cells(obs, where)
        asked = np.isin(np.arange(len(obs)), task.rows)
        plan = [Fold("unused plates", used & inside & (labels != ""), asked)]
    else:
        plan = list(_divide(text_array(obs[PLATE].astype(str)), task.rows, folds))
    for fold in plan:
        known = np.unique(labels[fold.told])
        if len(known) < 2:
            only = f"{str(known[0])!r} only" if len(known) else "none"
            raise StudyError(
                f"{fold.name}: the plates whose labels are told hold {only} of the classes of {label}, "
                "wanted two at least; with more folds each leaves out fewer plates"
            )
    return plan


def _divide(plates: NDArray[np.str_], rows: NDArray[np.int64], folds: int) -> Iterator[Fold]:
    """Divide the plates of the labelled cells into folds of about as many cells each."""
    there = np.unique(plates[rows])
    if len(there) < 2:
        raise StudyError(
            f"all {len(rows)} labelled cells lie on one plate, {there[0]}: a ceiling is measured on "
            "plates whose labels training never saw, and needs two plates at least"
        )
    if not 2 <= folds <= len(there):
        raise StudyError(
            f"the labelled cells lie on {len(there)} plates, which {folds} folds cannot divide: take "
            f"{'2' if len(there) == 2 else f'2 to {len(there)}'}, with --folds"
        )
    cells = np.arange(len(plates))
    for number, (told, asked) in enumerate(GroupKFold(folds).split(rows, groups=plates[rows])):
        yield Fold(f"fold {number}", np.isin(cells, rows[told]), np.isin(cells, rows[asked]))

"""Scores on plates whose labels a training used, beside fair ones: how far such labels mislead there."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes.columns import text_values
from cellssl.phenotypes.embeddings.matching import Embedding
from cellssl.phenotypes.evaluation.metrics import Score
from cellssl.phenotypes.evaluation.tasks import Task, build_tasks
from cellssl.phenotypes.leakage import USED_PLATES
from cellssl.sampling import chosen_cells

_LOG = logging.getLogger(__name__)

_NOTE = "training was given labels of these cells: says nothing of new plates"


def used_task(
    obs: pd.DataFrame, label: str, used: NDArray, *, where: str | None = None, **options: Any
) -> list[Task]:
    """Lay down the cells whose labels a training used, by all classes; an empty list where there are none.

    Parameters
    ----------
    obs : DataFrame (N rows)
        The cells.
    label : str
        The column that is scored.
    used : (N,) bool
        Cells whose label some training used.
    where : str, optional
        Of these cells only.
    **options
        As for `build_tasks`.
    """
    inside = used if where is None else used & chosen_cells(obs, where)
    if not (text_values(obs[label], label)[inside] != "").any():
        _LOG.warning(
            "no training used labels of %s of these cells: there are no used plates to score.",
            label,
        )
        return []
    tasks, _ = build_tasks(obs, label, fair=used, where=where, **options)
    return [replace(tasks[0], subset=USED_PLATES)]


def note_used_labels(
    scores: Iterable[Score], task: Task, one: Embedding, obs: pd.DataFrame, label: str
) -> Iterable[Score]:
    """Say in the notes of scores on used plates that the embedding's training was given these labels, where it was."""
    if task.subset != USED_PLATES or one.used is None or not one.used.tell(obs, label):
        return scores
    return (score._replace(note="; ".join(filter(None, [_NOTE, score.note]))) for score in scores)

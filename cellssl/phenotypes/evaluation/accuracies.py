"""How well the label is told from cells of other groups, and why it cannot be."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes.evaluation.confusions import Confusions
from cellssl.phenotypes.evaluation.metrics import BATCHES, CLASSIFIERS, TOP1, Score, task_metrics
from cellssl.phenotypes.evaluation.tasks import Task
from cellssl.scores import accuracy_of
from cellssl.words import listed


def accuracies(Z: NDArray[np.float32], task: Task) -> Iterator[Score]:
    """Yield the accuracies of each classifier that sees features (n, D)."""
    for name, predict in CLASSIFIERS.items():
        yield from _across_groups(name, predict, Z, task)
        if task.batches is not None:
            yield _across_batches(name + BATCHES, predict, Z, task, task.batches)


def _across_groups(
    name: str, predict: Callable[..., NDArray], Z: NDArray[np.float32], task: Task
) -> Iterator[Score]:
    """Balanced accuracy across groups or on the test set, there plain accuracy too."""
    truth, reason = task.truth, _why_unlearnable(task)
    n = len(truth)
    if reason:
        for metric in (name, name + TOP1):
            if metric in task_metrics(task):
                yield Score.missing(metric, n, reason)
        return
    apart = {"groups": task.groups} if task.test is None else {"test": task.test}
    predictions = predict(Z, task.labels, **apart)
    found = Confusions.of(truth, predictions, np.unique(task.labels), task.resamples)
    note = "; ".join(filter(None, [_note_lonely(task), _note_undivided(task)]))
    yield Score(name, *found.balanced_accuracy(), n, note, found)
    if task.test is not None:
        right = task.resamples.mean(truth == predictions)
        yield Score(name + TOP1, accuracy_of(found.table), right, n, note)


def _across_batches(
    metric: str,
    predict: Callable[..., NDArray],
    Z: NDArray[np.float32],
    task: Task,
    batches: NDArray[np.int64],
) -> Score:
    """Balanced accuracy where all that is learnt from lies in other batches, of the classes that lie in several."""
    rows = np.flatnonzero(batches >= 0)
    truth, classes = task.labels[rows], np.unique(task.labels[rows])
    if len(classes) < 2:
        reason = "fewer than two classes lie in several batches"
        return Score.missing(metric, len(rows), reason, classes=len(classes))
    left = np.setdiff1d(task.labels, truth).tolist()
    note = f"left out, in one batch only: {', '.join(left)}" if left else ""
    predictions = predict(Z[rows], truth, groups=batches[rows])
    found = Confusions.of(truth, predictions, classes, task.resamples.take(rows))
    return Score(metric, *found.balanced_accuracy(), len(rows), note, found, len(classes))


def _why_unlearnable(task: Task) -> str:
    """Say why there is nothing to learn from; empty when there is."""
    if task.test is not None:
        return "no cell of these classes is in the training set" if task.test.all() else ""
    if task.groups is None:
        return "the cells name no two plates, no two wells, no training and test parts"
    if len(np.unique(task.groups)) < 2:
        return f"needs two {task.split} at least, all cells are in one"
    counts = _groups_of_classes(task)
    found = counts.index[counts > 1].tolist()
    if len(found) > 1:
        return ""
    only = f"only {found[0]} lies" if found else "no class lies"
    return f"{only} in two {task.split}: {'no other' if found else 'none'} can be found"


def _note_lonely(task: Task) -> str:
    """Say which classes nothing can teach: they lie in one group, or in the test set alone."""
    if task.test is not None:
        alone = np.setdiff1d(task.truth, task.labels[~task.test]).tolist()
        return _note_lost(alone, len(np.unique(task.truth)), "not in the training set")
    groups = _groups_of_classes(task)
    return _note_lost(groups.index[groups == 1].tolist(), len(groups), "in one group only")


def _note_undivided(task: Task) -> str:
    """Say when no group holds two classes: noise is then taken for what the other groups hold more of.

    Of wells that is so by design, and there are many of each class.
    """
    if task.test is not None or task.split == "wells":
        return ""
    held = pd.DataFrame({"label": task.labels, "group": task.groups})
    if held.groupby("group")["label"].nunique().max() > 1:
        return ""
    return (
        f"apart by {task.split}, every group holds one class alone: what tells groups passes for the label, "
        "and noise scores below chance"
    )


def _note_lost(alone: Sequence[str], classes: int, why: str) -> str:
    """Say which of how many classes count as nothing; the empty text where none does."""
    if not alone:
        return ""
    return f"{len(alone)} of {classes} classes count 0, cannot be found, {why}: {listed(alone)}"


def _groups_of_classes(task: Task) -> "pd.Series[int]":
    """Count the groups that each class lies in."""
    return pd.Series(task.groups).groupby(task.labels).nunique()

"""Scoring classes that were predicted, not embedded: the same cells, subsets and draws as of embeddings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cellssl.phenotypes.evaluation.confusions import Confusions
from cellssl.phenotypes.evaluation.measurement import Measurement
from cellssl.phenotypes.evaluation.measurements import Measurements
from cellssl.phenotypes.evaluation.metrics import Score
from cellssl.phenotypes.evaluation.tasks import Task
from cellssl.scores import ami


def measure_predictions(
    tasks: Sequence[Task],
    predicted: Mapping[str, NDArray[np.float64]],
    classes: Sequence[str],
    *,
    label: str,
    name: str,
    counts: Mapping[str, int],
    cells: Sequence[str] = (),
    note: str = "",
) -> Measurements:
    """Score predictions that were made by whoever learnt from the labels of other cells.

    Parameters
    ----------
    tasks : sequence of Task
        All classes first, as `build_tasks` gives them; a subset's are chosen among themselves.
    predicted : mapping
        Training seed → (n, K) of the cells of the first task: the higher, the likelier; NaN where
        whoever predicted a cell did not know the class.
    classes : sequence of str
        The K classes, sorted.
    label, name : str
        The column, and what the predictions are called among embeddings.
    counts : mapping
        Cells, as `build_tasks` gives them.
    note : str
        Stands beside every score.

    Returns
    -------
    Measurements
        Metrics `ami_predictions`, the AMI of predicted and true classes, and `predictions`, the
        balanced accuracy; all marked weak.
    """
    known = np.asarray(classes)
    entries = [
        replace(
            Measurement.of(score, task, embedding=name, seed=seed, weak=True),
            split=task.split,
            note="; ".join(filter(None, [note, score.note])),
        )
        for seed, values in predicted.items()
        for task in tasks
        for score in _scores(values[np.searchsorted(tasks[0].rows, task.rows)], known, task)
    ]
    return Measurements(tuple(entries), label, "none", counts, cells=tuple(cells))


def _scores(values: NDArray[np.float64], classes: NDArray[np.str_], task: Task) -> Iterator[Score]:
    """Yield both scores of the predictions (n, K) on one task."""
    own = None if task.subset == "all" else np.unique(task.labels)
    chosen = choose_classes(values, classes, among=own)
    note = _note_unknown(values, classes, task)
    found, draws = ami(task.labels, chosen), task.resamples.ami(task.labels, chosen)
    yield Score("ami_predictions", found, draws, len(chosen), note)
    there = np.unique(np.concatenate([task.labels, chosen]))
    told = Confusions.of(task.labels, chosen, there, task.resamples)
    yield Score("predictions", *told.balanced_accuracy(), len(chosen), note, told)


def choose_classes(
    values: NDArray[np.float64], classes: NDArray[np.str_], *, among: NDArray[np.str_] | None = None
) -> NDArray[np.str_]:
    """Give the likeliest class of each cell (n,), among some where any of these is known.

    Examples
    --------
    >>> values = np.array([[0.2, 0.3, 0.5], [0.9, np.nan, 0.1]])
    >>> names = np.array(["a", "b", "c"])
    >>> choose_classes(values, names).tolist()
    ['c', 'a']
    >>> choose_classes(values, names, among=np.array(["b", "c"])).tolist()
    ['c', 'c']
    """
    likely = np.where(np.isnan(values), -np.inf, values)
    if among is not None:
        inside = np.where(np.isin(classes, among), likely, -np.inf)
        likely = np.where(np.isfinite(inside).any(axis=1, keepdims=True), inside, likely)
    return classes[likely.argmax(axis=1)]


def _note_unknown(values: NDArray[np.float64], classes: NDArray[np.str_], task: Task) -> str:
    """Name the classes that nobody who predicted their cells knew."""
    own = np.searchsorted(classes, task.labels)[:, None]
    unknown: NDArray[np.bool_] = np.isnan(np.take_along_axis(values, own, axis=1).ravel())
    lost = [str(name) for name in np.unique(task.labels) if unknown[task.labels == name].all()]
    return f"cannot be found, not among the labels told: {', '.join(lost)}" if lost else ""

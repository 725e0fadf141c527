"""The ceiling: how far an encoder gets that is told the labels, on plates whose labels it never saw."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.arguments import whole_numbers
from cellssl.columns import CONTROL, PLATE
from cellssl.crops import Crops
from cellssl.embedding import check_orientations, embed
from cellssl.errors import StudyError
from cellssl.files import atomic, make_folder, write_csv
from cellssl.phenotypes import Measurements, require_label
from cellssl.phenotypes.controls import is_negative
from cellssl.phenotypes.evaluation.predictions import choose_classes, measure_predictions
from cellssl.phenotypes.evaluation.tasks import Task, build_tasks
from cellssl.phenotypes.leakage import UsedLabels, refuse_leaks
from cellssl.protocols import Protocol, resolve, used_labels
from cellssl.studies.ceiling_differences import differences_beside, read_beside
from cellssl.studies.experiment import train
from cellssl.studies.folds import Fold, plan_folds, plates_used
from cellssl.training import PROJECTION, load_checkpoint
from cellssl.words import counted

_LOG = logging.getLogger(__name__)
METHOD = "supervised"  # the scores of its predictions are called so, too
_NOTE = "told the labels of other plates"


@dataclass(frozen=True)
class Ceiling:
    """What was found, and where it lies.

    Attributes
    ----------
    measured : Measurements
        Of the predictions of all cells, each by the training that never saw its plate's labels.
    predictions : DataFrame
        cell, plate, fold, true, seed, predicted, and the probability ``p(CLASS)`` of each class.
    scores : DataFrame
        Its tidy table; behind the others' rows where it was put beside some.
    differences : DataFrame
        By how much it is better than each of these, as `Measurements.differences` has them: embedding_a
        is the ceiling; where metric is knn or linear its accuracy, where it is ami_kmeans its AMI.
    folder : Path
        Holds predictions.csv, scores.csv and .json, per_class.csv, confusion.csv, the runs,
        and beside others beside.csv and differences.csv.
    """

    measured: Measurements
    predictions: pd.DataFrame
    scores: pd.DataFrame
    differences: pd.DataFrame
    folder: Path

    def __repr__(self) -> str:
        cells, folds = self.predictions["cell"].nunique(), self.predictions["fold"].nunique()
        return f"Ceiling({counted(cells, 'cell')}, {counted(folds, 'fold')}, {self.folder})"


@whole_numbers(error=StudyError, folds=1, seeds=1)
def ceiling(
    crops: str | Path,
    protocol: Protocol | str | Path,
    out: str | Path,
    *,
    label: str | None = None,
    where: str | None = None,
    folds: int = 5,
    seeds: int = 1,
    subsets: Mapping[str, Sequence[str]] | None = None,
    changes: Mapping[str, Any] | None = None,
    beside: str | Path | None = None,
    orientations: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> Ceiling:
    """Train a protocol's encoder on the labels, fold by fold of plates; score what it predicts.

    Every fold trains a run of its own, with the protocol's views and settings and the method
    `supervised`, on the labelled cells of the other folds' plates: nothing else, and no label of its
    own plates. Its cells are predicted by that run. A protocol whose `positives:` take the labels of
    some plates only (`plates`, `exclude_plates`) draws the line itself: one run is told the labels of
    these plates and predicts the others, as the weak labels' scores are of these.

    Finished runs are kept: the same command again trains only what is missing.

    Parameters
    ----------
    crops
        The crop file.
    protocol
        A protocol, its name or file.
    out
        The folder for everything that is made.
    label
        The column of the classes, as for :func:`cellssl.evaluate`.
    where
        A boolean column: train on, and predict, these cells only.
    folds
        Parts that the plates are divided into.
    seeds
        Trainings of each fold, seeded 0, 1, …
    subsets
        Named subsets of label values; among these the likeliest of their own classes counts.
    changes
        Replaced protocol values by dotted key, as in :func:`train`.
    beside
        A scores.csv of the same cells (of `evaluate`, `compare` or a study), or its folder: its rows
        stand before the ceiling's own in ``beside.csv``, and with the draws that lie there the ceiling is
        compared with each, paired by resample (``differences.csv``).
    orientations
        Of how many orientations of a cell predictions are the mean: as many as the features `beside` are of.
    device, progress
        As in :func:`train`.

    Raises
    ------
    StudyError
        When there are too few plates or classes, or `beside` is of other cells.
    EmbeddingError
        When the label is missing or unfit, or amplitudes of the protocol were chosen by it.

    Examples
    --------
    >>> found = ceiling("crops.h5ad", "bbbc021-expert", "ceiling", label="MOA")  # doctest: +SKIP
    >>> found.measured.scores[["metric", "value", "low", "high"]]  # doctest: +SKIP
    """
    check_orientations(orientations)
    opened = Crops.open(crops)
    label = require_label(opened.obs, label)
    given = _resolved(protocol, changes or {})
    used = plates_used(given, opened.obs)
    fair = None if used is None else ~used
    tasks, counts = build_tasks(
        opened.obs,
        label,
        subsets=subsets,
        where=where,
        groups="plate",
        controls=is_negative(opened.obs, CONTROL),
        fair=fair,
    )
    cells = opened.obs.index[tasks[0].rows[tasks[0].scored]].astype(str)
    others, entries = (None, []) if beside is None else read_beside(Path(beside), label, cells)
    # The same views and settings, with the labels told outright instead of by positives.
    told = resolve(given, {"training.method": METHOD, "positives": "same_cell"})
    plan = plan_folds(opened.obs, label, tasks[0], where=where, folds=folds, used=used)
    labels = UsedLabels.of(used_labels(told, opened.obs)) if told.weak else None
    refuse_leaks(opened.obs, label, {told.name: labels}, tasks[0].rows)
    out = make_folder(out)
    predict = partial(
        _predict,
        opened,
        told,
        out,
        label=label,
        orientations=orientations,
        device=device,
        progress=progress,
    )
    predicted = {}
    for seed in range(seeds):  # warned of once: folds differ by some cells alone
        asked = [predict(fold, seed=seed, warn=seed == 0 and fold is plan[0]) for fold in plan]
        predicted[str(seed)] = pd.concat(asked)
    measured, predictions = _measure(opened.obs, tasks, counts, predicted, plan, label, out)
    scores, differences = measured.scores, differences_beside(measured, entries)
    for file in ("beside.csv", "differences.csv"):
        (out / file).unlink(missing_ok=True)  # of an earlier call, beside other scores
    if others is not None:
        scores = pd.concat([others, scores], ignore_index=True)
        write_csv(scores, out / "beside.csv")
    if len(differences):
        write_csv(differences, out / "differences.csv")
    return Ceiling(measured, predictions, scores, differences, out)


def _resolved(protocol: Protocol | str | Path, changes: Mapping[str, Any]) -> Protocol:
    """Read the protocol; seeds and method are the ceiling's own."""
    if "training.seed" in changes:
        raise StudyError("a ceiling trains with seeds 0, 1, …: `seeds` says how many")
    if changes.get("training.method", METHOD) != METHOD:
        raise StudyError(f"a ceiling trains with the method {METHOD}, whatever the protocol's is")
    return resolve(protocol, changes)


def _predict(
    crops: Crops,
    protocol: Protocol,
    out: Path,
    fold: Fold,
    *,
    label: str,
    seed: int,
    orientations: int,
    device: str,
    warn: bool,
    progress: bool,
) -> pd.DataFrame:
    """Train one fold, unless it is done; give the logits of the cells that it is asked, by class."""
    _LOG.info(
        "%s, seed %d: told %d cells, asked %d", fold.name, seed, fold.told.sum(), fold.asked.sum()
    )
    run = train(
        crops,
        resolve(protocol, {"training.seed": seed}),
        out / "runs" / f"{fold.folder}-seed{seed}",
        label=label,
        where=fold.told,
        device=device,
        warn=warn,
        progress=progress,
    )
    logits = embed(
        crops,
        run,
        head=PROJECTION,
        where=fold.asked,
        orientations=orientations,
        device=device,
        progress=progress,
    )
    classes = load_checkpoint(run)["told"]["classes"]
    return pd.DataFrame(np.asarray(logits.X), index=logits.obs_names, columns=classes)


def _measure(
    obs: pd.DataFrame,
    tasks: Sequence[Task],
    counts: Mapping[str, int],
    logits: Mapping[str, pd.DataFrame],
    plan: Sequence[Fold],
    label: str,
    out: Path,
) -> tuple[Measurements, pd.DataFrame]:
    """Score the predictions; write them and their scores."""
    classes = sorted(
        set(tasks[0].labels.tolist()).union(*(table.columns for table in logits.values()))
    )
    names = obs.index[tasks[0].rows]
    likely = {
        seed: _probabilities(table.reindex(index=names, columns=classes).to_numpy(np.float64))
        for seed, table in logits.items()
    }
    measured = measure_predictions(
        tasks,
        likely,
        classes,
        label=label,
        name=METHOD,
        counts=counts,
        cells=names.astype(str).tolist(),
        note=_NOTE,
    )
    measured.save(out)
    predictions = _tabulate(obs, tasks[0], plan, likely, classes)
    with atomic(out / "predictions.csv") as part:
        predictions.to_csv(part, index=False, float_format="%.4g")
    return measured, predictions


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax of (n, K) over the classes that are known; NaN where one is not."""
    raised = np.exp(logits - np.nanmax(logits, axis=1, keepdims=True))
    return raised / np.nansum(raised, axis=1, keepdims=True)


def _tabulate(
    obs: pd.DataFrame,
    task: Task,
    plan: Sequence[Fold],
    likely: Mapping[str, NDArray[np.float64]],
    classes: list[str],
) -> pd.DataFrame:
    """Put the predictions of all seeds below each other."""
    folds = np.full(len(obs), "", dtype=object)
    for fold in plan:
        folds[fold.asked] = fold.name
    cells = {
        "cell": obs.index[task.rows],
        "plate": obs[PLATE].astype(str).to_numpy()[task.rows],
        "fold": folds[task.rows],
        "true": task.labels,
    }
    frames = []
    for seed, values in likely.items():
        chosen = choose_classes(values, np.asarray(classes))
        shares = {f"p({name})": column for name, column in zip(classes, values.T, strict=True)}
        frames.append(pd.DataFrame({**cells, "seed": seed, "predicted": chosen, **shares}))
    return pd.concat(frames, ignore_index=True)

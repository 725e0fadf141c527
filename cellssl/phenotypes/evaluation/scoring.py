"""Embeddings scored: the same cells, the same normalisation, the same draws for each."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.arguments import seed_numbers, whole_numbers
from cellssl.columns import BATCH, PLATE, WELL, bare_name, find_column, say_alike_names, texts_of
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.columns import one_column, text_column, text_values
from cellssl.phenotypes.controls import control_cells
from cellssl.phenotypes.embeddings.blocks import block_names
from cellssl.phenotypes.embeddings.matching import Embedding, features, load_embeddings, match_cells
from cellssl.phenotypes.evaluation.counting import COUNT, count_cells
from cellssl.phenotypes.evaluation.measurement import Measurement
from cellssl.phenotypes.evaluation.measurements import Measurements
from cellssl.phenotypes.evaluation.metrics import Score, task_metrics
from cellssl.phenotypes.evaluation.task_scores import task_scores
from cellssl.phenotypes.evaluation.tasks import Task, build_tasks
from cellssl.phenotypes.evaluation.used_plates import note_used_labels, used_task
from cellssl.phenotypes.labels import require_label, usual_label
from cellssl.phenotypes.leakage import fair_cells, refuse_leaks
from cellssl.phenotypes.normalisation.normalisation import check_normalisation, normalise_features
from cellssl.progress import bar
from cellssl.scores import choose_statistic
from cellssl.words import counted, listed

_LOG = logging.getLogger(__name__)

# Neighbours cost the square of the number of cells: of a million they would take a day.
MOST_CELLS = 50_000

_LONG = 2e10  # cells × features × classes that a linear classifier needs a minute for at least

Embeddings = Sequence[ad.AnnData | str | Path] | Mapping[str, ad.AnnData | str | Path]


@whole_numbers(error=EmbeddingError, sample=1, resamples=1)
def measure_embeddings(
    embeddings: Embeddings,
    *,
    label: str | None = None,
    subsets: Mapping[str, Sequence[str]] | None = None,
    groups: str = "auto",
    seeds: int | Sequence[int] = (0, 1, 2),
    normalise: str = "standardise",
    controls: str | None = None,
    aggregate: str = "median",
    where: str | None = None,
    held_out: bool = False,
    used_plates: bool = False,
    cell_count: bool = False,
    sample: int | None = MOST_CELLS,
    resamples: int = 400,
    absent: Mapping[str, str] | None = None,
    progress: bool = True,
) -> Measurements:
    """Score as `evaluate` does, and keep the draws for differences.

    Parameters
    ----------
    cell_count : bool
        Whether the number of cells of a well stands in the table, as an embedding of its own.
    absent : mapping, optional
        Name of an embedding that could not be had → why, and how to get it: each has rows
        without a value.

    Returns
    -------
    Measurements
        `.scores`, `.per_class`, `.confusions`, `.differences()`, `.class_differences` and
        `.save(folder)`.
    """
    if used_plates and not held_out:
        raise EmbeddingError(
            "used_plates (--used-plates) shows scores that labels misled beside fair ones: it goes with "
            "held_out (--held-out)."
        )
    starts = seed_numbers(seeds, error=EmbeddingError)
    check_normalisation(normalise)
    choose_statistic(aggregate)
    loaded = load_embeddings(embeddings)
    _say_orientations(loaded)
    _say_sight(loaded)
    label = _label_column(loaded, label)
    names, dropped = match_cells(loaded)
    obs = _shared_obs(loaded, names, label)
    _say_plateless(obs)
    say_alike_names(pd.Series(text_values(obs[label], label)), label)
    negative = control_cells(obs, controls)
    used = {_title(one): one.used for one in loaded}
    fair = fair_cells(obs, label, used) if held_out else None
    asked: dict[str, Any] = {
        "where": where,
        "groups": groups,
        "resamples": resamples,
        "controls": negative,
        "sample": sample,
    }
    tasks, counts = build_tasks(obs, label, subsets=subsets, fair=fair, **asked)
    refuse_leaks(obs, label, used, tasks[0].rows)
    if used_plates and fair is not None:
        tasks += used_task(obs, label, ~fair, **asked)
    _say_long(loaded, tasks[0])
    _say_laid_out(obs, label, tasks[0])
    known = {
        "plates": text_column(obs, PLATE),
        "batches": text_column(obs, BATCH),
        "controls": negative,
    }
    if cell_count:
        loaded += count_cells(loaded, obs)
    entries: list[Measurement] = []
    with bar(shown=progress) as display:
        total = len(loaded) * sum(len(task_metrics(task)) for task in tasks)
        shown = display.add_task("scoring", total=total, note="")
        for one in loaded:
            display.update(shown, note=_title(one))
            normalised = _normalise(one, names, tasks, normalise, known)
            for task, Z in zip(tasks, normalised, strict=True):
                scores = task_scores(Z, task, starts, aggregate=aggregate)
                for score in note_used_labels(scores, task, one, obs, label):
                    entries.append(
                        Measurement.of(
                            score, task, embedding=one.name, seed=one.seed, weak=one.weak
                        )
                    )
                    display.advance(shown)
    entries += _missing_scores(absent or {}, tasks)
    scored = names[tasks[0].rows[tasks[0].scored]]
    return Measurements(
        tuple(entries),
        label,
        normalise,
        {**counts, "dropped": dropped},
        cells=tuple(scored.astype(str)),
        progress=progress,
    )


def _say_orientations(loaded: Sequence[Embedding]) -> None:
    """Say where some features are means over a cell's orientations, and others are not."""
    names: dict[int, list[str]] = {}
    for one in loaded:
        for number in one.orientations:
            names.setdefault(number, []).append(one.name)
    if len(names) > 1:
        groups = (f"{listed(list(dict.fromkeys(names[n])), most=4)} of {n}" for n in sorted(names))
        _LOG.warning(
            "features are means over different numbers of orientations of a cell: %s. That alone moves scores: "
            "embed all, and what is combined of them, with the same --orientations",
            "; ".join(groups),
        )


def _say_sight(loaded: Sequence[Embedding]) -> None:
    """Say which baselines were shown the cells otherwise than every trained encoder."""
    trained: dict[str, str] = {}  # what was seen → who saw it, the first of all
    others: dict[str, str] = {}
    for one in loaded:
        record = one.cells.uns.get("cellssl", {})
        rule = record.get("scaling")
        if not isinstance(rule, Mapping) or not {"per", "percentiles", "transform"} <= rule.keys():
            continue
        low, high = rule["percentiles"]
        channels = ", ".join(sorted(map(str, record.get("channels", ()))))
        seen = (
            f"{channels or 'cells'} at {record.get('crop_size')} px, percentiles {low:g} to {high:g} ({rule['per']}), "
            f"{rule['transform']}"
        )
        (trained if "protocol" in record else others).setdefault(seen, one.name)
    apart = [(name, seen) for seen, name in others.items() if seen not in trained]
    if trained and apart:
        seen, name = next(iter(trained.items()))
        _LOG.warning(
            "a baseline was shown these cells otherwise than a trained encoder: %s saw %s; %s saw %s. That alone moves "
            "scores: `cellssl embed -p PROTOCOL`, in Python embed(…, **cellssl.studies.sight(PROTOCOL)), shows a "
            "baseline the cells as that protocol's encoder sees them",
            *apart[0],
            name,
            seen,
        )


def _say_plateless(obs: pd.DataFrame) -> None:
    """Say how many cells name no plate where others do: together they stand for one."""
    if PLATE not in obs.columns:
        return
    empty = int((texts_of(obs[PLATE]) == "").sum())
    if 0 < empty < len(obs):
        _LOG.warning(
            "%s of %s name no plate (Metadata_Plate is empty) and count as one plate of their own, which "
            "they may not be: fill the column, or leave these cells out",
            f"{empty:,}",
            counted(len(obs), "cell"),
        )


def _say_laid_out(obs: pd.DataFrame, label: str, task: Task) -> None:
    """Say where each row or column of the plates, of several wells, holds one class alone."""
    places = {name: task.confounders[name] for name in ("row", "column")}
    told = pd.DataFrame({name: place.codes for name, place in places.items() if place is not None})
    if told.empty:
        return
    told["class"], told["well"] = task.labels, texts_of(obs[WELL]).to_numpy()[task.rows]
    for name in places:
        there = told.loc[told[name] >= 0, [name, "class", "well"]]
        lines, of_classes, wells = there.nunique()
        alone = there.groupby(name)["class"].nunique().eq(1).all()
        if of_classes > 1 and wells > lines and alone:
            _LOG.warning(
                "every %s of the plates holds one %s alone: what tells %ss passes for %s, and no score tells the two "
                "apart. Plates that are laid out at random, or otherwise, would",
                *(name, bare_name(label), name, bare_name(label)),
            )


def _say_long(loaded: Sequence[Embedding], task: Task) -> None:
    """Say beforehand where a linear classifier has very many numbers to learn."""
    cells, classes = len(task.truth), len(np.unique(task.truth))
    widest = max(one.cells.n_vars for one in loaded)
    if cells * classes * widest > _LONG:
        _LOG.warning(
            "%s of %s features in %s classes: the linear classifier takes from minutes to hours an embedding; of fewer "
            "cells (--sample of `cellssl evaluate`) it takes less",
            f"{cells:,} cells",
            f"{widest:,}",
            f"{classes:,}",
        )


def _title(one: Embedding) -> str:
    return f"{one.name} (seed {one.seed})" if one.seed else one.name


def _label_column(loaded: Sequence[Embedding], label: str | None) -> str:
    """Find the label in the first embedding that has it; unless it was named, say where another has its own."""
    if label is not None:
        name = one_column(label)
        having = (one for one in loaded if find_column(one.cells.obs.columns, name) is not None)
        return require_label(next(having, loaded[0]).cells.obs, name)
    usual = [(one, found) for one in loaded if (found := usual_label(one.cells.obs)) is not None]
    first = usual[0][0] if usual else loaded[0]
    chosen = require_label(first.cells.obs)
    for other, found in usual:
        if found != chosen:
            _LOG.warning(
                "the first decides on the label: %s has %s, and %s by itself would be scored against %s (--label %s)",
                _title(first),
                chosen,
                _title(other),
                found,
                bare_name(found),
            )
            break
    return chosen


def _shared_obs(loaded: Sequence[Embedding], names: pd.Index, label: str) -> pd.DataFrame:
    """Take what describes the cells from the first embedding that has the label."""
    holders = [one for one in loaded if label in one.cells.obs.columns]
    obs = holders[0].cells.obs.loc[names]
    for other in holders[1:]:
        theirs = other.cells.obs.loc[names, label]
        differ = obs[label].astype(str).to_numpy() != theirs.astype(str).to_numpy()
        if differ.any():
            raise EmbeddingError(
                f"{holders[0].name} and {other.name} disagree on {label} in {int(differ.sum())} "
                f"cells (first {names[differ][0]!r}): they are not the same cells."
            )
    return obs


def _normalise(
    one: Embedding, names: pd.Index, tasks: Sequence[Task], rule: str, known: Mapping[str, Any]
) -> Iterator[NDArray[np.float32]]:
    """Give the features of each task's cells, normalised: (n, D)."""
    X = features(one.cells)[one.cells.obs_names.get_indexer(names)]
    if one.name == COUNT:
        rule = "standardise"  # one number a cell has nothing to be whitened or corrected
    blocks = block_names(one.cells)
    for task in tasks:
        yield normalise_features(X, task.rows, rule=rule, blocks=blocks, **known)


def _missing_scores(absent: Mapping[str, str], tasks: Sequence[Task]) -> list[Measurement]:
    """Give every score of the embeddings that could not be had a row that says why."""
    return [
        Measurement.of(Score.missing(metric, 0, reason), task, embedding=name)
        for name, reason in absent.items()
        for task in tasks
        for metric in task_metrics(task)
    ]

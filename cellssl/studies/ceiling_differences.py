"""Differences of a ceiling from other scores of the same cells: these read, and by how much it is better."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cellssl.errors import StudyError
from cellssl.phenotypes import Measurement, Measurements, read_scores
from cellssl.phenotypes.evaluation.measurement import read_draws
from cellssl.phenotypes.evaluation.score_tables import fingerprint_names, read_fingerprint
from cellssl.words import listed

_LOG = logging.getLogger(__name__)
_AMI = "ami_kmeans"
#: Score of an embedding → score of the predictions that is held against it.
_AGAINST = {_AMI: "ami_predictions", "knn": "predictions", "linear": "predictions"}


def read_beside(path: Path, label: str, cells: pd.Index) -> tuple[pd.DataFrame, list[Measurement]]:
    """Read the scores that the ceiling is to stand beside; they must be of the same cells.

    Returns
    -------
    scores, entries
        Their tidy table; AMI, kNN and linear with their draws, none where these were not kept.

    Raises
    ------
    StudyError
        When they are of another label or of other cells.
    """
    file = path / "scores.csv" if path.is_dir() else path
    if not file.is_file():
        raise StudyError(f"there are no scores at {file}: give a scores.csv, or the folder of one")
    scores = read_scores(file)
    asked = scores[(scores["subset"] == "all") & (scores["metric"] == _AMI)]
    asked = asked[asked["value"].notna()]  # a baseline that could not be had is of no cells
    there = sorted({(str(name), int(n)) for name, n in asked[["label", "n"]].to_numpy()})
    of_others = read_fingerprint(file) not in ("", fingerprint_names(cells))
    if of_others or there != [(label, len(cells))]:
        found = ", ".join(f"{n} cells by {name}" for name, n in there) or "no clusters of cells"
        raise StudyError(
            f"{file} scores {'others of ' if of_others else ''}{found}, the ceiling {len(cells)} cells by {label}: "
            "they cannot stand side by side. Give the same --label and --where; beside scores of plates that weak "
            "labels left out, the protocol that left them out"
        )
    entries = read_draws(file.parent)
    if not entries:
        _LOG.warning(
            "no draws.npz lies beside %s, from which differences are made: score it again for them",
            file,
        )
    return scores, entries


def differences_beside(measured: Measurements, others: Sequence[Measurement]) -> pd.DataFrame:
    """Hold predictions against embeddings: AMI against AMI, their accuracy against kNN and linear.

    Returns
    -------
    DataFrame
        As `Measurements.differences`, paired by resample: embedding_a are the predictions, and metric is
        the embedding's.
    """
    told = [
        replace(one, metric=metric)
        for one in measured.entries
        for metric, own in _AGAINST.items()
        if one.metric == own
    ]
    asked = {_question(one) for one in told}
    frames, alone = [], []
    for name in dict.fromkeys(one.embedding for one in others):
        theirs = [one for one in others if one.embedding == name and _question(one) in asked]
        answered = {_question(one) for one in theirs}
        pair = [one for one in told if _question(one) in answered] + theirs
        if theirs:
            frames.append(replace(measured, entries=tuple(pair)).differences())
        else:
            alone.append(name)
    if alone:
        _LOG.warning(
            "not compared with the ceiling: %s. Other cells, treatments or plates were resampled, or not %s "
            "times: score the same crops again, with the same label and kept apart by plates",
            listed(alone, most=5),
            max((len(one.draws) for one in told if one.draws is not None), default=0),
        )
    none = replace(measured, entries=()).differences()
    return pd.concat(frames, ignore_index=True) if frames else none


def _question(one: Measurement) -> tuple[str, ...]:
    """Tell apart what can be held against each other: subset, score, what it keeps apart, resamples."""
    return one.subset, one.metric, "" if one.metric == _AMI else one.split, one.drawn

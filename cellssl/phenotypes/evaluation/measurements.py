"""Scores with their draws, from which come the tidy table and the paired differences."""

import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from cellssl.files import make_folder, write_csv, write_text
from cellssl.phenotypes.evaluation.confusions import (
    Confusions,
    class_rows,
    confusion_rows,
    difference_columns,
    repetitions,
)
from cellssl.phenotypes.evaluation.measurement import Measurement, save_draws
from cellssl.phenotypes.evaluation.metrics import possible_values
from cellssl.phenotypes.evaluation.repetitions import MEAN, Estimate, Repetitions
from cellssl.phenotypes.evaluation.score_tables import fingerprint_names
from cellssl.progress import track
from cellssl.words import counted

_QUESTION = ("label", "subset", "split", "normalisation")
_MANY = 5000  # differences that take longer than a breath

_Key = tuple[str, str, str]  # embedding, subset, metric


@dataclass(frozen=True)
class Measurements:
    """All scores of one question, over embeddings, subsets and training seeds.

    Its tables are made once: whoever changes one changes it for all.

    Attributes
    ----------
    entries : tuple of Measurement
    label, normalisation : str
    counts : mapping
        Cells matched, dropped, unlabelled, outside and scored.
    cells : tuple of str
        Names of the scored cells over all classes, in the order of their clusters.
    progress : bool
        Whether a bar is drawn where many embeddings are held against each other.
    """

    entries: tuple[Measurement, ...]
    label: str
    normalisation: str
    counts: Mapping[str, int]
    cells: tuple[str, ...] = ()
    progress: bool = False

    def __repr__(self) -> str:
        embeddings = len({entry.embedding for entry in self.entries})
        about = f"{self.label}, {counted(embeddings, 'embedding')}, {self.normalisation}"
        return f"Measurements({about}: scores, per_class, confusions, differences(), class_differences())"

    @cached_property
    def _repeated(self) -> dict[_Key, list[Measurement]]:
        """The repetitions of each score."""
        groups: dict[_Key, list[Measurement]] = {}
        for entry in self.entries:
            groups.setdefault((entry.embedding, entry.subset, entry.metric), []).append(entry)
        return groups

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Tidy table: a row "mean" per score, and one per training seed if there are several."""
        rows = []
        for entries in self._repeated.values():
            rows.append(self._row(entries, MEAN))
            if len(entries) > 1:
                rows += [self._row([entry], entry.seed) for entry in entries]
        return pd.DataFrame(rows)

    def _row(self, entries: list[Measurement], seed: str) -> dict[str, object]:
        """Sum up one score over its repetitions."""
        first, repeated = entries[0], _repetitions(entries)
        mean = None if repeated is None else repeated.mean()
        return {
            "embedding": first.embedding,
            **self._question(first),
            "metric": first.metric,
            **_numbers("value", mean, possible_values(first.metric)),
            "n": first.n,
            "seed": seed,
            "classes": first.classes,
            "replicates": len(entries),
            "weak": any(entry.weak for entry in entries),
            "note": first.note,
        }

    def _question(self, entry: Measurement) -> dict[str, str]:
        """Say what a number answers, in the columns that all tables share."""
        answers = (self.label, entry.subset, entry.split, self.normalisation)
        return dict(zip(_QUESTION, answers, strict=True))

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """Share of each class that a classifier finds; their mean is its balanced accuracy.

        Returns
        -------
        DataFrame
            embedding, label, subset, split, normalisation, classifier (knn, linear, and across batches
            knn_batches, linear_batches), class, accuracy, low, high (of this class alone), n, seed
            ("mean", and each training's own if there are several), weak.
        """
        return self._tabulate(class_rows, ["class", "accuracy", "low", "high", "n", "seed"])

    @cached_property
    def confusions(self) -> pd.DataFrame:
        """Count which class a classifier takes for which, of up to 200 classes pairs that never occur included.

        Returns
        -------
        DataFrame
            embedding, label, subset, split, normalisation, classifier (as in `per_class`), true,
            predicted, count, seed (of each training; "mean" where there is one), weak.
        """
        return self._tabulate(confusion_rows, ["true", "predicted", "count", "seed"])

    def _tabulate(self, rows: Callable[..., pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
        """Put the rows of all classifiers below each other."""
        frames = [
            rows(*found).assign(
                embedding=entries[0].embedding,
                **self._question(entries[0]),
                classifier=entries[0].metric,
                weak=any(entry.weak for entry in entries),
            )
            for entries in self._repeated.values()
            if (found := _confusions(entries)) is not None
        ]
        names = ["embedding", *_QUESTION, "classifier", *columns, "weak"]
        if not frames:
            return pd.DataFrame(columns=names)
        return pd.concat(frames, ignore_index=True)[names]

    def differences(self) -> pd.DataFrame:
        """Differences of every two embeddings, paired by resample and, where both have it, by seed.

        Returns
        -------
        DataFrame
            embedding_a, embedding_b, label, subset, split, normalisation, metric, difference
            (a − b), low, high, apart (the interval excludes 0; missing when there is no score).
        """
        return self._differences

    @cached_property
    def _differences(self) -> pd.DataFrame:
        known = {key: _repetitions(entries) for key, entries in self._repeated.items()}
        rows = [
            self._difference(first, second, known[one], known[other])
            for (one, first), (other, second) in self._pairs(known)
        ]
        columns = ["embedding_a", "embedding_b", *_QUESTION, "metric"]
        columns += ["difference", "low", "high", "apart"]
        table = pd.DataFrame(rows, columns=columns)
        table["apart"] = table["apart"].astype("boolean")
        return table

    def _difference(
        self, one: Measurement, other: Measurement, a: Repetitions | None, b: Repetitions | None
    ) -> dict[str, object]:
        difference = None if a is None or b is None else a.minus(b)
        least, most = possible_values(one.metric)
        numbers = _numbers("difference", difference, (least - most, most - least))
        apart = pd.NA if difference is None else numbers["low"] > 0 or numbers["high"] < 0
        return {**self._pair(one, other), "metric": one.metric, **numbers, "apart": apart}

    def _pairs(
        self, keys: Collection[_Key]
    ) -> Iterator[tuple[tuple[_Key, Measurement], tuple[_Key, Measurement]]]:
        """Give every two embeddings of each score, of those of `keys`, each with its first training."""
        firsts = {key: entries[0] for key, entries in self._repeated.items() if key in keys}
        names = dict.fromkeys(entry.embedding for entry in self.entries)
        questions = dict.fromkeys((entry.subset, entry.metric) for entry in self.entries)
        pairs = itertools.product(itertools.combinations(names, 2), questions)
        total = len(names) * (len(names) - 1) // 2 * len(questions)
        shown = self.progress and total > _MANY
        for (a, b), question in track(pairs, "comparing", total=total, shown=shown):
            one, other = (a, *question), (b, *question)
            if one in firsts and other in firsts:
                yield (one, firsts[one]), (other, firsts[other])

    def _pair(self, one: Measurement, other: Measurement) -> dict[str, str]:
        """Say which two embeddings are held against each other, and on what."""
        names = {"embedding_a": one.embedding, "embedding_b": other.embedding}
        return {**names, **self._question(one)}

    @cached_property
    def class_differences(self) -> pd.DataFrame:
        """Differences of every two embeddings in each class, paired as `differences` are.

        Returns
        -------
        DataFrame
            embedding_a, embedding_b, label, subset, split, normalisation, classifier (as in
            `per_class`), class, difference (of the shares found, a − b), low, high, apart, n. The intervals hold for
            all classes of a pair, subset and classifier at once (see
            `cellssl.scores.joint_intervals`): a class is apart when its own excludes 0.
        """
        found = {
            key: (confusions[0], repetitions(*own))
            for key, entries in self._repeated.items()
            if (own := _confusions(entries)) is not None and (confusions := own[0])
        }
        pairs, tables = [], []
        for (one, first), (other, second) in self._pairs(found):
            scored, accuracies = found[one]
            tables.append(difference_columns(scored, accuracies, found[other][1]))
            pairs.append({**self._pair(first, second), "classifier": first.metric})
        columns = ["embedding_a", "embedding_b", *_QUESTION, "classifier"]
        numbers = ["class", "difference", "low", "high", "apart", "n"]
        if not pairs:
            return pd.DataFrame(columns=columns + numbers)
        lengths = [len(table["class"]) for table in tables]
        said = pd.DataFrame(pairs, columns=columns)
        said = said.loc[said.index.repeat(lengths)].reset_index(drop=True)
        return said.assign(
            **{name: np.concatenate([table[name] for table in tables]) for name in numbers}
        )

    def save(self, folder: str | Path) -> Path:
        """Write scores.csv and .json, per_class.csv, confusion.csv, the draws; of two, differences of both kinds."""
        folder = make_folder(folder)
        scores = self.scores
        write_csv(scores, folder / "scores.csv")
        records = json.loads(scores.to_json(orient="records", double_precision=10))
        content = {
            "label": self.label,
            "normalisation": self.normalisation,
            "cells": dict(self.counts),
            "cell_names": fingerprint_names(self.cells) if self.cells else "",
            "scores": records,
        }
        write_text(json.dumps(content, indent=1) + "\n", folder / "scores.json")
        tables = {"per_class.csv": self.per_class, "confusion.csv": self.confusions}
        differences = self.differences()
        if len(differences):
            tables["differences.csv"] = differences
            tables["class_differences.csv"] = self.class_differences
        for name, table in tables.items():
            write_csv(table, folder / name)
        save_draws(self.entries, folder)
        return folder


def _numbers(name: str, estimate: Estimate | None, within: tuple[float, float]) -> dict[str, float]:
    """Give an estimate, under its name, and its interval; NaN where there is none."""
    if estimate is None:
        return {name: np.nan, "low": np.nan, "high": np.nan}
    low, high = estimate.interval(within)
    return {name: float(estimate.value), "low": low, "high": high}


def _repetitions(entries: Sequence[Measurement]) -> Repetitions | None:
    """Collect a score's trainings; None when one has no value."""
    draws = [entry.draws for entry in entries if entry.draws is not None]
    if len(draws) < len(entries):
        return None
    scores = np.array([entry.value for entry in entries])
    return Repetitions(scores, np.mean(draws, axis=0), [entry.seed for entry in entries])


def _confusions(entries: Sequence[Measurement]) -> tuple[list[Confusions], list[str]] | None:
    """Collect the confusions of a score's trainings; None when one has none."""
    found = [entry.confusions for entry in entries if entry.confusions is not None]
    seeds = [entry.seed for entry in entries]
    return (found, seeds) if len(found) == len(entries) else None

"""Tables of scores as `evaluate` writes them: read again, of which cells they are, and their seeds put together."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellssl.columns import texts_of
from cellssl.phenotypes.evaluation.measurement import unreadable
from cellssl.phenotypes.evaluation.repetitions import MEAN
from cellssl.words import listed


def fingerprint_names(names: Iterable[str]) -> str:
    """Hash the names of a set of cells, whatever their order."""
    return hashlib.sha256("\n".join(sorted(map(str, names))).encode()).hexdigest()[:16]


def read_fingerprint(path: str | Path) -> str:
    """Read which cells a scores.csv is of, from the scores.json beside it; empty where that is not said.

    Raises
    ------
    EmbeddingError
        When the file is damaged.
    """
    beside = Path(path).with_suffix(".json")
    try:
        content = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        return str(content.get("cell_names", ""))
    except (ValueError, AttributeError) as error:
        raise unreadable(beside, error) from error


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read a scores.csv with the types that `evaluate` gives it: notes and seeds are text.

    Raises
    ------
    EmbeddingError
        When the file is damaged, or something else.
    """
    types = {"seed": str, "note": str, "split": str}
    try:
        table = pd.read_csv(path, dtype=types, na_values=["", "NaN"])
    except ValueError as error:
        raise unreadable(Path(path), error) from error
    lacking = {"embedding", "label", "subset", "metric", "value", "n"} - set(table)
    if lacking:
        raise unreadable(Path(path), f"it has no column {listed(sorted(lacking))}")
    return table.fillna({"note": "", "seed": ""})


def seed_means(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of a table of scores that are means over training seeds, not the seeds' own."""
    return table[table["seed"].astype(str) == MEAN]


def summarise_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Put a tidy score table's seeds together: one row per embedding, subset and metric.

    Returns
    -------
    columns embedding, subset, metric, value (mean over seeds), low and high (widest interval), n,
    seeds, weak, note; embeddings keep their order of appearance. What is said of batches is left out
    where each is one plate.
    """
    table = _completed(scores).reset_index(drop=True)
    means = seed_means(table)
    if len(means):  # they stand there already, beside the seeds
        table = table[table.index.isin(means.index) | table["value"].isna()]
    groups = table.groupby(
        ["embedding", "subset", "metric"], sort=False, dropna=False, observed=True
    )
    summary = groups.agg(
        value=("value", "mean"),
        low=("low", "min"),
        high=("high", "max"),
        n=("n", "max"),
        seeds=("replicates", "max"),
        weak=("weak", "max"),
        note=("note", lambda notes: next(filter(None, notes), "")),
    )
    return _without_repeats(summary.reset_index())


def _without_repeats(summary: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is said of batches where these are plates by another name: the same numbers again."""
    for kind in ("ami", "linear"):
        plates, batches = (
            summary[summary["metric"] == f"{kind}_{name}"].set_index(["embedding", "subset"])
            for name in ("plate", "batch")
        )
        numbers = ["value", "low", "high"]
        if len(batches) and batches[numbers].equals(plates[numbers]):
            summary = summary[summary["metric"] != f"{kind}_batch"]
    return summary


def _completed(scores: pd.DataFrame) -> pd.DataFrame:
    """Fill what a table of scores may leave out."""
    defaults: dict[str, Any] = {
        "subset": "all",
        "low": np.nan,
        "high": np.nan,
        "n": np.nan,
        "seed": np.nan,
        "weak": False,
        "note": "",
    }
    table = scores.assign(**{key: defaults[key] for key in defaults if key not in scores})
    if "replicates" not in table:
        keys = ["embedding", "subset", "metric"]
        table["replicates"] = table.groupby(keys)["seed"].transform("nunique")
    table["subset"] = texts_of(table["subset"]).replace("", "all")
    table["note"] = texts_of(table["note"])
    table["weak"] = table["weak"].astype("boolean").fillna(False).astype(bool)
    table["metric"] = texts_of(table["metric"])
    return table

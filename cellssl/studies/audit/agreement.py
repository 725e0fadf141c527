"""What an audit expected of a study's settings, held against what training showed.

Of the settings themselves, of their classes, and of every two settings side by side.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cellssl.errors import StudyError
from cellssl.phenotypes.evaluation.metrics import TOGETHER
from cellssl.studies.audit.correlation import (
    RankCorrelation,
    interval,
    pair_correlation,
    rank_correlation,
)
from cellssl.studies.audit.separation import Matrix
from cellssl.studies.bias import class_table
from cellssl.studies.complement import PAIR, pair_name
from cellssl.words import listed

_LOG = logging.getLogger(__name__)
_NAMES = ("embedding", "combination", "class", "seed", *PAIR)

COLUMNS = (
    *("metric", "of", "predictor"),
    *("spearman", "low", "high", "p_value", "settings", "classes"),
)
_METRICS = (*TOGETHER, "linear_batches")
# Less movement is taken to be better.
_PREDICTORS = {"after": 1.0, "after_as_read": 1.0, "moved": -1.0}
# How far the first is ahead of the second.
_AHEAD = {"ahead": ("after", "moved"), "as_read_ahead": ("after_as_read", "after")}
_FEWEST = 4  # settings from which on an order can be compared


@dataclass(frozen=True)
class _Comparison:
    """The predictors' correlations with one score, of the settings or of what is in them."""

    metric: str
    of: str
    settings: int
    classes: float
    predictors: Mapping[str, RankCorrelation]


def agreement(
    settings: pd.DataFrame, classes: pd.DataFrame, pairs: pd.DataFrame, scores: str | Path
) -> pd.DataFrame:
    """Correlate what was predicted with what was scored: of settings, their classes and pairs.

    Parameters
    ----------
    settings, classes, pairs
        As in `Ranking`.
    scores
        A study's ``scores.csv``. Classes are compared where its ``per_class.csv`` lies beside it,
        pairs where its ``complement.csv`` does.

    Returns
    -------
    DataFrame
        As in `Ranking`.

    Raises
    ------
    StudyError
        When there are too few of the study's settings.
    """
    rows = []
    for one in _comparisons(settings, classes, pairs, Path(scores)):
        for name, each in one.predictors.items():
            told = (each.value, *each.interval, each.p_value)
            rows.append([one.metric, one.of, name, *told, one.settings, one.classes])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def pooled_agreement(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Average the agreement of several studies: what does the audit foretell, over all of them.

    Parameters
    ----------
    folders
        Each holds what `study audit` wrote (``predicted.csv``, ``predicted_classes.csv``) and the
        ``scores.csv`` and ``per_class.csv`` of the same study.

    Returns
    -------
    DataFrame
        metric, of, predictor, spearman, low, high, studies: as in `Ranking`, the mean over the
        studies that have the score, each counting once, with the 95 % interval of that mean. Studies
        of the same cells are taken for independent, which they are in their settings alone. NaN where
        one of them predicted, or scored, all its settings alike.

    Raises
    ------
    StudyError
        When a study lacks a table or a column, or has too few settings.

    Examples
    --------
    >>> pooled_agreement(["first-study", "second-study"])  # doctest: +SKIP
    """
    found: dict[tuple[str, str, str], list[RankCorrelation]] = {}
    rng = np.random.default_rng(0)
    for folder in map(Path, folders):
        for name in ("predicted.csv", "predicted_classes.csv", "scores.csv"):
            if not (folder / name).is_file():
                raise StudyError(
                    f"{folder} holds no {name}: wanted are folders with what `cellssl study audit -o` "
                    "wrote, and with the scores.csv and per_class.csv of the same study."
                )
        settings, classes = (
            _predicted(folder / f"{n}.csv") for n in ("predicted", "predicted_classes")
        )
        for one in _comparisons(settings, classes, pd.DataFrame(), folder / "scores.csv"):
            order = rng.permutation(len(next(iter(one.predictors.values())).draws))
            for name, each in one.predictors.items():  # draws of two studies have nothing in common
                shuffled = replace(each, draws=each.draws[order])
                found.setdefault((one.metric, one.of, name), []).append(shuffled)
    rows = []
    for key, studies in found.items():
        value = np.mean([one.value for one in studies])
        draws = np.mean([one.draws for one in studies], axis=0)
        rows.append([*key, value, *interval(draws), len(studies)])
    columns = ["metric", "of", "predictor", "spearman", "low", "high", "studies"]
    return pd.DataFrame(rows, columns=columns)


def _comparisons(
    settings: pd.DataFrame, classes: pd.DataFrame, pairs: pd.DataFrame, scores: Path
) -> list[_Comparison]:
    found = list(_of_settings(settings, _means(_read(scores))))
    if not found:
        raise StudyError(
            f"{scores} holds fewer than {_FEWEST} of the study's settings: give the scores.csv that "
            "`cellssl study report` wrote for this study."
        )
    beside = scores.with_name("per_class.csv")
    if beside.exists():
        found += _of_classes(classes, _means(_read(beside)))
    beside = scores.with_name("complement.csv")
    if beside.exists() and len(pairs):
        found += _of_pairs(pairs, _read(beside))
    return found


def _read(path: Path) -> pd.DataFrame:
    """Read a table: a digit is the class "4", and 0.8 or None the setting of that name."""
    try:
        columns = pd.read_csv(path, nrows=0).columns
        missing = {str(name): [] if name in _NAMES else [""] for name in columns}
        return pd.read_csv(
            path, dtype=dict.fromkeys(_NAMES, str), na_values=missing, keep_default_na=False
        )
    except ValueError as error:
        raise StudyError(
            f"{path} cannot be read as a table ({error}): it is damaged, or something else. `cellssl study report` "
            "writes a study's scores again, and `cellssl study audit -o` what was predicted."
        ) from error


def _predicted(path: Path) -> pd.DataFrame:
    """Read what was predicted, by all predictors."""
    table = _read(path)
    lacking = [name for name in _PREDICTORS if name not in table]
    if lacking:
        raise StudyError(
            f"{path} has no column {listed(lacking)}: it is of an earlier version; run "
            "`cellssl study audit` again."
        )
    return table


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the means over seeds and of all classes; published tables hold these alone and say so less."""
    for column, wanted in (("seed", "mean"), ("subset", "all")):
        table = (
            table[table[column] == wanted] if column in table else table.assign(**{column: wanted})
        )
    return table


def _of_settings(predicted: pd.DataFrame, table: pd.DataFrame) -> Iterator[_Comparison]:
    """Compare the order of settings in each score."""
    for metric in _METRICS:
        scored = table[(table["metric"] == metric) & table["value"].notna()]
        found = scored.set_index("embedding")["value"]
        own = predicted[predicted["combination"].isin(found.index)]
        if len(own) < _FEWEST:
            continue
        told = {name: sign * own[[name]].to_numpy(float) for name, sign in _PREDICTORS.items()}
        values = found.loc[own["combination"]].to_numpy(float)[:, None]
        yield _Comparison(metric, "settings", len(own), np.nan, _compare(told, values))


def _of_classes(predicted: pd.DataFrame, per_class: pd.DataFrame) -> Iterator[_Comparison]:
    """Compare what each class gains and loses, in all and beyond what its setting does to all classes."""
    for metric in per_class["classifier"].unique():
        found = class_table(per_class, classifier=metric).dropna(axis=1)
        own = [name for name in found.index if name in set(predicted["combination"])]
        shared = [name for name in found.columns if name in set(predicted["class"])]
        if len(own) < _FEWEST or len(shared) < 2:
            continue
        tables = {name: predicted.pivot_table(name, "combination", "class") for name in _PREDICTORS}
        told = {
            name: sign * tables[name].loc[own, shared].to_numpy(float)
            for name, sign in _PREDICTORS.items()
        }
        values = found.loc[own, shared].to_numpy(float)
        for of, beyond in (("classes", False), ("classes beyond settings", True)):
            each = _compare(told, values, partial(rank_correlation, beyond=beyond))
            yield _Comparison(metric, of, len(own), len(shared), each)


def _of_pairs(predicted: pd.DataFrame, complement: pd.DataFrame) -> Iterator[_Comparison]:
    """Compare what every two settings gain over the better of them."""
    if not set(PAIR) <= set(complement):
        raise StudyError(
            f"complement.csv has no columns {' and '.join(PAIR)}: it is of an earlier version; run "
            "`cellssl study complement` again."
        )
    two = complement["setting_a"] != complement["setting_b"]
    # Two that move cells unlike each other are taken to add most.
    told = {"after": _square(predicted, "gain"), "moved": _square(predicted, "moved")}
    for metric, own in complement[two & (complement["subset"] == "all")].groupby(
        "metric", sort=False
    ):
        found = _square(own, "gain")
        settings = found.index.intersection(told["after"].index)
        if len(settings) < _FEWEST:
            continue
        value = found.loc[settings, settings].to_numpy()
        lacking = [
            pair_name(settings[a], settings[b])
            for a, b in np.argwhere(np.isnan(np.triu(value, 1))).tolist()
        ]
        if lacking:
            count = len(settings) * (len(settings) - 1) // 2
            _LOG.warning(
                "%s: what pairs gain is not held against training, since %d of %d pairs have no score: %s",
                metric,
                len(lacking),
                count,
                listed(lacking),
            )
            continue
        squares = {name: table.loc[settings, settings].to_numpy() for name, table in told.items()}
        each = _compare(squares, value, pair_correlation)
        yield _Comparison(str(metric), "pairs", len(settings), np.nan, each)


def _square(pairs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Spread a column of pairs of S settings out, (S, S), whichever of two is named first."""
    table = pairs.pivot_table(column, "setting_a", "setting_b")
    return table.combine_first(table.T).astype(float)


def _compare(
    told: Mapping[str, Matrix],
    found: Matrix,
    correlation: Callable[[Matrix, Matrix], RankCorrelation] = rank_correlation,
) -> dict[str, RankCorrelation]:
    """Correlate each prediction, and say how far one is ahead of another."""
    each = {name: correlation(values, found) for name, values in told.items()}
    ahead = {
        name: RankCorrelation(
            each[first].value - each[second].value,
            each[first].draws - each[second].draws,  # of the same settings and classes
            np.nan,
        )
        for name, (first, second) in _AHEAD.items()
        if first in each
    }
    return {**each, **ahead}

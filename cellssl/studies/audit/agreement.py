"""What an audit expected of a study's settings and their classes, held against what training showed."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from cellssl.errors import StudyError
from cellssl.studies.bias import class_table
from cellssl.studies.outcome import TOGETHER

__all__ = ["COLUMNS", "RankCorrelation", "agreement", "rank_correlation"]

Matrix = NDArray[np.float64]

COLUMNS = (
    "metric",
    "of",
    "predictor",
    "spearman",
    "low",
    "high",
    "p_value",
    "settings",
    "classes",
)
_METRICS = (*TOGETHER, "linear_batches")
_PREDICTORS = {"after": 1.0, "moved": -1.0}  # less movement is taken to be better
_DRAWS = 2000
_ORDERS = 9999
_ALL_ORDERS = 7  # settings up to which every order is looked at
_FEWEST = 4  # settings from which on an order can be compared


def agreement(settings: pd.DataFrame, classes: pd.DataFrame, scores: str | Path) -> pd.DataFrame:
    """Correlate what was predicted with what was scored: of settings, and of classes in them.

    Parameters
    ----------
    settings, classes
        As in `Ranking`.
    scores
        A study's ``scores.csv``. Classes are compared where its ``per_class.csv`` lies beside it.

    Returns
    -------
    DataFrame
        As in `Ranking`.

    Raises
    ------
    StudyError
        When there are too few of the study's settings.
    """
    scores = Path(scores)
    rows = _of_settings(settings, _means(pd.read_csv(scores, dtype={"seed": str})))
    if not rows:
        raise StudyError(
            f"{scores} holds fewer than {_FEWEST} of the study's settings: give the scores.csv that "
            "`cellssl study report` wrote for this study."
        )
    beside = scores.with_name("per_class.csv")
    if beside.exists():
        # A digit is the class "4", as the crops have it, not the number.
        table = pd.read_csv(beside, dtype={"seed": str}, converters={"class": str})
        rows += _of_classes(classes, _means(table))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the means over seeds and of all classes; published tables hold these alone and say so less."""
    for column, wanted in (("seed", "mean"), ("subset", "all")):
        table = (
            table[table[column] == wanted] if column in table else table.assign(**{column: wanted})
        )
    return table


def _of_settings(predicted: pd.DataFrame, table: pd.DataFrame) -> list[list[object]]:
    """Compare the order of settings in each score."""
    rows: list[list[object]] = []
    for metric in _METRICS:
        scored = table[(table["metric"] == metric) & table["value"].notna()]
        found = scored.set_index("embedding")["value"]
        own = predicted[predicted["combination"].isin(found.index)]
        if len(own) < _FEWEST:
            continue
        told = {name: sign * own[[name]].to_numpy(float) for name, sign in _PREDICTORS.items()}
        values = found.loc[own["combination"]].to_numpy(float)[:, None]
        rows += [[metric, "settings", *row, len(own), np.nan] for row in _compare(told, values)]
    return rows


def _of_classes(predicted: pd.DataFrame, per_class: pd.DataFrame) -> list[list[object]]:
    """Compare what each class gains and loses, in all and beyond what its setting does to all classes."""
    rows: list[list[object]] = []
    for metric in per_class["classifier"].unique():
        found = class_table(per_class, classifier=metric).dropna(axis=1)
        own = [name for name in found.index if name in set(predicted["combination"])]
        shared = [name for name in found.columns if name in set(predicted["class"])]
        if len(own) < _FEWEST or len(shared) < 2:
            continue
        told = {
            name: sign * table.loc[own, shared].to_numpy(float)
            for name, sign in _PREDICTORS.items()
            for table in [predicted.pivot_table(name, "combination", "class")]
        }
        values = found.loc[own, shared].to_numpy(float)
        for of, beyond in (("classes", False), ("classes beyond settings", True)):
            count = (len(own), len(shared))
            rows += [[metric, of, *row, *count] for row in _compare(told, values, beyond=beyond)]
    return rows


def _compare(
    told: Mapping[str, Matrix], found: Matrix, *, beyond: bool = False
) -> list[tuple[str, float, float, float, float]]:
    """Correlate each prediction, and say how far the audit is ahead of amplitude alone."""
    each = {name: rank_correlation(values, found, beyond=beyond) for name, values in told.items()}
    rows = [(name, one.value, *one.interval, one.p_value) for name, one in each.items()]
    after, moved = each["after"], each["moved"]
    ahead = after.draws - moved.draws  # of the same settings and classes
    return [*rows, ("ahead", after.value - moved.value, *_interval(ahead), np.nan)]


@dataclass(frozen=True)
class RankCorrelation:
    """A Spearman correlation over settings, or over classes in settings.

    Attributes
    ----------
    value : float
        NaN where all changes of either side are the same.
    draws : (2000,)
        Its values in resampled settings and classes, the same ones whatever is correlated; NaN where
        all changes of a draw are the same.
    p_value : float
        Twice the share of orders of the settings that correlate as well.
    """

    value: float
    draws: NDArray[np.float64]
    p_value: float

    @property
    def interval(self) -> tuple[float, float]:
        """Give its 95 % interval."""
        return _interval(self.draws)


def rank_correlation(predicted: Matrix, found: Matrix, *, beyond: bool = False) -> RankCorrelation:
    """Correlate the ranks of what K classes change by over S settings.

    Parameters
    ----------
    predicted, found : (S, K)
        Of one class, K = 1, it is the plain rank correlation.
    beyond
        Take out what all classes of a setting change by together.
    """
    value = _spearman(predicted, found, beyond)
    if np.isnan(value):
        return RankCorrelation(value, np.full(_DRAWS, np.nan), np.nan)
    settings, classes = np.random.default_rng(0), np.random.default_rng(1)
    s, k = found.shape
    draws = np.empty(_DRAWS)
    for draw in range(_DRAWS):
        chosen = np.ix_(settings.integers(0, s, s), classes.integers(0, k, k))
        draws[draw] = _spearman(predicted[chosen], found[chosen], beyond)
    return RankCorrelation(value, draws, _chance(predicted, found, beyond))


def _interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _changes(values: Matrix, beyond: bool) -> Matrix:
    """Take out each class's mean, and with `beyond` each setting's."""
    values = values - values.mean(axis=0)
    if beyond:
        values = values - values.mean(axis=1, keepdims=True)
    return values.round(12)  # what differs by rounding alone is the same


def _ranks(values: Matrix, beyond: bool) -> Matrix:
    """Rank all changes together, (S, K), in units in which products of two sum to a correlation."""
    ranks = rankdata(_changes(values, beyond)).reshape(values.shape)
    ranks = ranks - ranks.mean()
    size = float(np.sqrt((ranks**2).sum()))
    return ranks / size if size else np.full(values.shape, np.nan)


def _spearman(predicted: Matrix, found: Matrix, beyond: bool) -> float:
    return float((_ranks(predicted, beyond) * _ranks(found, beyond)).sum())


def _chance(predicted: Matrix, found: Matrix, beyond: bool) -> float:
    """Give twice the share of orders of the settings that correlate as well."""
    count = len(found)
    if count <= _ALL_ORDERS:
        orders = np.array(list(permutations(range(count))))
    else:
        rng = np.random.default_rng(0)
        drawn = [rng.permutation(count) for _ in range(_ORDERS)]
        orders = np.array([np.arange(count), *drawn])
    products = _ranks(predicted, beyond) @ _ranks(found, beyond).T  # of each setting with each
    every = products[np.arange(count), orders].sum(axis=1)
    above, below = (every >= every[0] - 1e-9).mean(), (every <= every[0] + 1e-9).mean()
    return float(min(1.0, 2 * min(above, below)))

"""Bias between classes: which gain when others lose, as the augmentations change."""

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from cellssl.errors import StudyError
from cellssl.phenotypes import seed_means
from cellssl.scores import false_discovery_rate

FEWEST_SETTINGS = 5  # fewer points are no evidence for a correlation


def class_table(per_class: pd.DataFrame, *, classifier: str = "linear") -> pd.DataFrame:
    """Lay out accuracies as settings × classes, means over seeds, all classes together.

    Parameters
    ----------
    per_class : DataFrame
        As `cellssl.phenotypes.Measurements.per_class` gives it.
    classifier : str
        ``linear`` or ``knn``, or across batches ``linear_batches`` or ``knn_batches``.
    """
    own = seed_means(per_class)
    own = own[(own["classifier"] == classifier) & (own["subset"] == "all")]
    table = own.pivot_table(
        index="embedding", columns="class", values="accuracy", sort=False, observed=True
    )
    return table.loc[list(dict.fromkeys(own["embedding"]))]


def class_correlations(table: pd.DataFrame, *, draws: int = 4999, seed: int = 0) -> pd.DataFrame:
    """Correlate the accuracies of every two classes over settings.

    A negative correlation says that settings that serve one class harm the other: a bias between
    classes that the choice of augmentations makes (Bendidi et al. 2023, arXiv 2304.11718).

    Parameters
    ----------
    table : DataFrame (S, K)
        Accuracy of K classes in S settings.
    draws : int
        Permutations of the settings for the p-values.
    seed : int
        Of the permutations.

    Returns
    -------
    DataFrame
        class_a, class_b, settings, pearson, spearman, p_pearson, p_spearman (two-sided, by
        permutation), q_pearson, q_spearman (false-discovery rate over all pairs, Benjamini &
        Hochberg 1995).

    Raises
    ------
    StudyError
        With fewer than five settings or two classes.

    Examples
    --------
    >>> table = pd.DataFrame({"a": [1, 2, 3, 4, 5.0], "b": [5, 4, 3, 2, 1.0]})
    >>> class_correlations(table)[["pearson", "spearman"]].round(6).values.tolist()
    [[-1.0, -1.0]]
    """
    if len(table) < FEWEST_SETTINGS or table.shape[1] < 2:
        raise StudyError(
            f"correlations between classes need {FEWEST_SETTINGS} settings and two classes, got "
            f"{len(table)} and {table.shape[1]}"
        )
    values = table.to_numpy(dtype=float)
    orders = np.random.default_rng(seed).permuted(
        np.tile(np.arange(len(values)), (draws, 1)), axis=1
    )
    found = {}
    for name, numbers in {"pearson": values, "spearman": rankdata(values, axis=0)}.items():
        found[name], found[f"p_{name}"] = _correlate(numbers, orders)
    pairs = list(itertools.combinations(range(values.shape[1]), 2))
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    result = pd.DataFrame(
        {
            "class_a": table.columns[a],
            "class_b": table.columns[b],
            "settings": len(table),
            **{name: matrix[a, b] for name, matrix in found.items()},
        }
    )
    for name in ("pearson", "spearman"):
        result[f"q_{name}"] = false_discovery_rate(result[f"p_{name}"])
    return result


def _correlate(
    values: NDArray[np.float64], orders: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlate columns, (K, K), with permutation p-values, (K, K); NaN where a column is constant."""
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    length[length < 1e-12] = np.nan
    unit = centred / length
    real = unit.T @ unit
    reached = np.zeros_like(real)
    for order in orders:
        reached += np.abs(unit[order].T @ unit) >= np.abs(real) - 1e-12
    p = (1 + reached) / (1 + len(orders))
    p = (p + p.T) / 2  # either class may be permuted
    p[np.isnan(real)] = np.nan
    return real, p

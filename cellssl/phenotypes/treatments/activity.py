"""Treatments against chance: are their wells alike, are they active, do those of one label find each other."""

import itertools
import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from cellssl.columns import text_array
from cellssl.phenotypes.treatments.profiles import WellProfiles
from cellssl.progress import track
from cellssl.scores import (
    Precisions,
    activity_precision,
    choose_statistic,
    consistency_precision,
    replicate_correlation,
)

FALSE_CALLS = 0.05  # share that is accepted among treatments called active
_ROUNDING = 1e-9
DRAWS = 1000  # of control wells
_LEVEL = 0.05  # with so few choices of control wells that no p-value can fall so far, none is given


def _treatment_codes(wells: pd.DataFrame, treatments: pd.Index) -> NDArray[np.int64]:
    """Give the place of each well's treatment in the index; −1 for control wells."""
    codes = treatments.get_indexer(pd.Index(wells["treatment"]))
    return np.where(wells["control"], -1, codes).astype(np.int64)


def replicates(
    wells: WellProfiles, treatments: pd.Index, *, seed: int = 0, progress: bool = False
) -> pd.DataFrame:
    """Correlate each treatment's wells with each other, beside random wells.

    Returns
    -------
    DataFrame, index treatment
        wells, correlation, limit (95th percentile of as many random wells), p_value, replicates
        (above the limit; missing where there is no limit), across_plates: see
        `replicate_correlation`. Without the negative control.
    """
    table = wells.wells
    codes = _treatment_codes(table, treatments)
    found = replicate_correlation(
        wells.profiles, codes, table["plate"], seed=seed, progress=progress
    )
    above = pd.array(found.correlation > found.limit, dtype="boolean")
    above[np.isnan(found.limit)] = pd.NA
    result = pd.DataFrame(
        {
            "wells": np.bincount(codes[codes >= 0]),
            "correlation": found.correlation,
            "limit": found.limit,
            "p_value": found.p_value,
            "replicates": above,
            "across_plates": found.across,
        },
        index=treatments[: len(found.correlation)],  # the last ones may be controls only
    )
    return result[result["wells"] > 0]


def activity_by_rank(
    wells: WellProfiles, treatments: pd.Index, *, seed: int, progress: bool = False
) -> pd.DataFrame:
    """Mean average precision of each treatment against the control wells of its plates.

    Returns
    -------
    DataFrame, index treatment
        map, map_by_chance, map_p_value, map_q_value: see `activity_precision`.
    """
    table = wells.wells
    codes = _treatment_codes(table, treatments)
    found = activity_precision(
        wells.profiles, codes, table["control"], table["plate"], seed=seed, progress=progress
    )
    return _tabulate(found, treatments[: len(found.value)]).reindex(treatments)


def _tabulate(found: Precisions, index: pd.Index) -> pd.DataFrame:
    """Give mean average precisions as columns."""
    columns = {
        "map": found.value,
        "map_by_chance": found.expected,
        "map_p_value": found.p_value,
        "map_q_value": found.q_value,
    }
    return pd.DataFrame(columns, index=index)


def consistency(
    profiles: pd.DataFrame,
    table: pd.DataFrame,
    compounds: pd.Series,
    *,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Mean average precision of treatments that share a label, against all other treatments.

    Parameters
    ----------
    profiles : DataFrame (T, D)
    table : DataFrame, index treatment
        control and label.
    compounds : Series, index treatment
        Treatments of one compound are neither like nor unlike each other.

    Returns
    -------
    DataFrame, index label
        treatments, agents, map, map_by_chance, map_p_value, map_q_value: see
        `consistency_precision`. Empty without labels.
    """
    kept = table.index[(table["control"] == "") & (table["label"] != "")]
    labels, names = pd.factorize(table.loc[kept, "label"], sort=True)
    index = pd.Index(names, name="label")
    own = compounds.loc[kept].groupby(labels)
    result = pd.DataFrame(index=index)
    result["treatments"] = own.size().to_numpy()
    result["agents"] = own.nunique().to_numpy()
    found = consistency_precision(
        profiles.loc[kept].to_numpy(),
        labels,
        text_array(compounds.loc[kept]),
        seed=seed,
        progress=progress,
    )
    return result.join(_tabulate(found, index))


def activity_by_length(
    values: NDArray[np.float64],
    counts: pd.Series,
    wells: WellProfiles,
    *,
    statistic: str,
    seed: int,
    progress: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Length of each profile (T, D) in units of a control well's, and how unusual it is.

    Four control wells have six pairs: the longest of profiles would have p = 1/7, which tells nothing.
    """
    lengths = np.linalg.norm(values, axis=1)
    null = wells.null
    if len(null) < 2:
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    activity = lengths / wells.control_length
    generator = np.random.default_rng(seed)
    sizes = track(np.unique(counts).tolist(), "drawing control wells", shown=progress)
    drawn = {k: _null_lengths(null, k, generator, statistic) for k in sizes}
    p_values = [_p_value(length, drawn[int(k)]) for length, k in zip(lengths, counts, strict=True)]
    return activity, np.array(p_values)


def call_active(table: pd.DataFrame) -> "pd.Series[bool]":
    """Say which treatments differ from the negative control, at a false discovery rate of 5 %.

    By the lengths of their profiles, over all treatments (Benjamini and Hochberg 1995). Where control wells
    are too few to judge lengths, the wells' ranks may still tell (mAP). A treatment whose wells are apart from
    all control wells, and are not called active, has too few: it is left out.

    Parameters
    ----------
    table : DataFrame, index treatment
        p_value, map and map_q_value, without the negative control.
    """
    p_values = table["p_value"].astype(float).dropna()
    if p_values.empty:
        return call_active_by_rank(table)
    return pd.Series(false_discovery_control(p_values) <= FALSE_CALLS, p_values.index)


def call_active_by_rank(table: pd.DataFrame) -> "pd.Series[bool]":
    """Say the same by the ranks of wells alone, leaving out those for which control wells are too few."""
    told = table["map_q_value"].astype(float).dropna() <= FALSE_CALLS
    apart = table["map"].astype(float).loc[told.index] >= 1 - _ROUNDING
    return told[told | ~apart]


def _p_value(length: float, drawn: NDArray[np.float64]) -> float:
    """Give the share of lengths that are as great; NaN where it cannot be small."""
    least = 1 / (1 + len(drawn))
    return float(least * (1 + (drawn >= length).sum())) if least <= _LEVEL else np.nan


def _null_lengths(
    null: NDArray[np.float64], wells: int, generator: np.random.Generator, statistic: str
) -> NDArray[np.float64]:
    """Lengths of the middle of so many control wells: every choice, or a thousand drawn."""
    count = len(null)
    # More than half of the control wells would mostly be the same wells again.
    wells = min(wells, max(1, count // 2))
    if math.comb(count, wells) <= DRAWS:
        choices = np.array(list(itertools.combinations(range(count), wells)))
    else:
        choices = np.array([generator.choice(count, wells, replace=False) for _ in range(DRAWS)])
    middle = choose_statistic(statistic)
    return np.array([np.linalg.norm(middle(null[choice], axis=0)) for choice in choices])

"""The neighbours of each treatment, and how sure their ranks are."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes.treatments.profiles import WellProfiles
from cellssl.progress import track
from cellssl.scores import choose_statistic, interval, unit_rows

# Wells that a treatment needs before drawing them again says anything.
FEWEST_WELLS = 2


def cosine(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of every two profiles; a profile of length 0 is like nothing but itself."""
    unit = unit_rows(values)
    found = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(found, 1)
    return found


def rank_neighbours(
    matrix: pd.DataFrame,
    table: pd.DataFrame,
    wells: WellProfiles,
    *,
    nearest: int,
    statistic: str,
    draws: int,
    seed: int,
    progress: bool = False,
) -> pd.DataFrame:
    """Rank the neighbours of each treatment that is no negative control.

    Parameters
    ----------
    matrix : DataFrame (T, T)
        Cosines of the treatments.
    table : DataFrame, index treatment
        control and label of each.
    wells : WellProfiles
        The wells that treatments are made of.
    nearest : int
        Neighbours listed for each treatment.
    statistic : str
        How wells become a treatment.
    draws : int
        Draws, with replacement, of every treatment's wells; controls and their normalisation stay.
    progress : bool
        Show a progress bar.

    Returns
    -------
    DataFrame
        treatment, rank (1 is nearest), neighbour, similarity, low, high (95 %), nearest_share (of
        the draws, in how many it is the nearest of all), same_label (missing when a label is).
        Interval and share are NaN where the treatment or its neighbour has one well only.
    """
    treated = table.index[table["control"] == ""].to_numpy()
    values, labels = matrix.loc[treated, treated].to_numpy(), table.loc[treated, "label"].to_numpy()
    count = len(treated)
    apart = values.copy()
    np.fill_diagonal(apart, -np.inf)
    shown = min(nearest, max(count - 1, 0))
    order = np.argsort(-apart, axis=1, kind="stable")[:, :shown]
    drawn = np.empty((draws, count, shown), dtype=np.float32)
    first = np.zeros((count, count))
    here = np.arange(count)
    groups = wells.wells.groupby("treatment").indices
    rows_of = [np.asarray(groups[name]) for name in treated]
    again_drawn = _draw_profiles(wells, rows_of, statistic, draws, seed)
    shown_drawn = track(again_drawn, "drawing wells again", total=draws, shown=progress)
    for draw, profiles in enumerate(shown_drawn):
        again = cosine(profiles)
        drawn[draw] = np.take_along_axis(again, order, axis=1)
        np.fill_diagonal(again, -np.inf)
        if count > 1:
            first[here, again.argmax(axis=1)] += 1
    several = np.array([len(rows) >= FEWEST_WELLS for rows in rows_of])
    rows: list[tuple[object, ...]] = []
    for i, name in enumerate(treated):
        for rank, j in enumerate(order[i], start=1):
            known = labels[i] != "" and labels[j] != ""
            same = labels[i] == labels[j] if known else pd.NA
            low = high = share = np.nan
            if several[i] and several[j] and draws:
                own = drawn[:, i, rank - 1].astype(np.float64)
                low, high = interval(values[i, j], own, within=(-1, 1))
                share = first[i, j] / draws
            rows.append((name, rank, treated[j], values[i, j], low, high, share, same))
    columns = ["treatment", "rank", "neighbour", "similarity", "low", "high", "nearest_share"]
    table = pd.DataFrame(rows, columns=[*columns, "same_label"])
    return table.astype({"same_label": "boolean", "rank": np.int64})


def _draw_profiles(
    wells: WellProfiles, rows_of: list[NDArray[np.int64]], statistic: str, draws: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Profiles (T, D) of the treatments from wells drawn with replacement, draw by draw."""
    middle = choose_statistic(statistic)
    generator = np.random.default_rng(seed)
    sizes = np.array([len(rows) for rows in rows_of])
    result = np.empty((len(rows_of), wells.profiles.shape[1]))
    # Treatments of equally many wells are drawn together.
    together = [
        (np.flatnonzero(sizes == size), np.stack([r for r in rows_of if len(r) == size]))
        for size in np.unique(sizes)
    ]
    for _ in range(draws):
        for places, rows in together:
            picks = generator.integers(rows.shape[1], size=rows.shape)
            chosen = np.take_along_axis(rows, picks, axis=1)
            result[places] = middle(wells.profiles[chosen], axis=1)
        yield result

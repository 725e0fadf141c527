"""Mean average precision as the package copairs computes it, for comparison with published work."""

import tempfile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import text_array
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.treatments.activity import FALSE_CALLS
from cellssl.phenotypes.treatments.profiles import WellProfiles

DRAWS = 10_000  # of a null distribution
# Columns that positive pairs share and differ in, then those of negative pairs.
Rules = tuple[list[str], list[str], list[str], list[str]]
COLUMNS = {
    "mean_average_precision": "copairs_map",
    "p_value": "copairs_p_value",
    "corrected_p_value": "copairs_q_value",
}


def copairs_activity(wells: WellProfiles, *, seed: int) -> pd.DataFrame:
    """Rank each treatment's wells against all control wells, on the normalised profiles as they are.

    Returns
    -------
    DataFrame, index treatment
        copairs_map, copairs_p_value, copairs_q_value. Without treatments of one well.

    Raises
    ------
    EmbeddingError
        When copairs is not installed, or there are no pairs to rank.

    Notes
    -----
    Kalinin et al., Nature Communications 2025. Wells of the same plate are ranked like others, the
    null takes the ranks of all wells for independent and does not count ties: with few replicates
    and controls its p-values are too small. `map_p_value` of `similarity` is free of all three.
    """
    control = wells.wells["control"].to_numpy()
    meta = pd.DataFrame({"treatment": wells.wells["treatment"].astype(str)})
    # Each control well has a number of its own, so that two of them are no pair.
    meta["reference"] = np.where(control, np.arange(len(meta)), -1)
    same, differ = ["treatment", "reference"], ["treatment", "reference"]
    return _scores(meta, wells.profiles, ~control, "treatment", (same, [], [], differ), seed)


def copairs_consistency(
    profiles: pd.DataFrame, labels: pd.Series, compounds: pd.Series, *, seed: int
) -> pd.DataFrame:
    """Rank treatments of each label, other compounds, against those of other labels.

    Parameters
    ----------
    profiles : DataFrame (T, D)
    labels, compounds : Series (T,)

    Returns
    -------
    DataFrame, index label
        copairs_map, copairs_p_value, copairs_q_value.

    Raises
    ------
    EmbeddingError
        As for `copairs_activity`.
    """
    meta = pd.DataFrame({"label": text_array(labels), "compound": text_array(compounds)})
    asked = np.ones(len(meta), dtype=bool)
    rules: Rules = (["label"], ["compound"], [], ["label"])
    return _scores(meta, profiles.to_numpy(), asked, "label", rules, seed)


def _scores(
    meta: pd.DataFrame,
    X: NDArray[np.float64],
    asked: NDArray[np.bool_],
    name: str,
    rules: Rules,
    seed: int,
) -> pd.DataFrame:
    """Mean average precision of the rows that are asked, by one column."""
    try:
        from copairs.map import average_precision, mean_average_precision
        from copairs.matching import UnpairedException
    except ImportError as error:
        raise EmbeddingError(
            "the scores of copairs need it installed: pip install 'cellssl[copairs]'."
        ) from error
    try:
        found = average_precision(meta, X, *rules, progress_bar=False)
    except UnpairedException as error:
        raise EmbeddingError(f"copairs finds nothing to rank by {name}: {error}") from error
    # It keeps its null distributions, in the home folder when nobody says where.
    with tempfile.TemporaryDirectory() as cache:
        means = mean_average_precision(
            found[asked],
            [name],
            null_size=DRAWS,
            threshold=FALSE_CALLS,
            seed=seed,
            progress_bar=False,
            max_workers=1,
            cache_dir=cache,
        )
    return means.set_index(name)[list(COLUMNS)].rename(columns=COLUMNS)

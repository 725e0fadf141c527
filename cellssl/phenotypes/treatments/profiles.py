"""Profiles of wells: the middle of a well's cells, freed of what its plate adds."""

import logging
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import CONTROL, PLATE, WELL
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.columns import cell_counts, text_values
from cellssl.phenotypes.controls import is_negative
from cellssl.phenotypes.embeddings.matching import check_features, features
from cellssl.phenotypes.naming import name_controls
from cellssl.phenotypes.normalisation.normalisation import check_rule
from cellssl.scores import aggregate, standardise

_LOG = logging.getLogger(__name__)

PROFILE_NORMALISATIONS = ("controls", "plate", "none")

# So many negative-control wells let a plate be centred on its own controls.
ENOUGH_CONTROLS = 2

# A feature's variance among the control wells is pulled towards the mean over all features, as if
# that were known from so many further wells: few wells leave some features too quiet by chance.
PRIOR_WELLS = 4


@dataclass(frozen=True)
class WellProfiles:
    """One row per well and treatment.

    Attributes
    ----------
    wells : DataFrame (W rows)
        treatment, plate, well, cells, control (bool).
    profiles : (W, D) float64
        Normalised profiles: 0 is the plate's negative control, 1 the spread of control wells.
    null : (K, D) float64
        Each negative-control well seen from the *other* ones of its plate, in the same units: what
        a treatment without effect looks like.
    centred : str
        What the profiles are centred on.
    """

    wells: pd.DataFrame
    profiles: NDArray[np.float64]
    null: NDArray[np.float64]
    centred: str

    def __repr__(self) -> str:
        return f"WellProfiles({self.profiles.shape} of wells and features, from {self.centred})"

    @property
    def control_length(self) -> float:
        """Root-mean-square length of control wells, each seen from the others of its plate."""
        return float(np.sqrt((self.null**2).sum(axis=1).mean()))


def well_profiles(
    adata: ad.AnnData,
    treatments: NDArray[np.str_],
    *,
    control: str | None = CONTROL,
    normalise: str = "auto",
    statistic: str = "median",
) -> WellProfiles:
    """Aggregate cells to wells, then normalise on the negative controls per plate.

    Parameters
    ----------
    adata : AnnData
        X (N, D).
    treatments : (N,) str
        Treatment of each cell; cells with an empty one are left out, but for negative controls,
        which become "negative control".
    control : str, optional
        Column that says `negative` for the negative control.
    normalise : str
        `controls`: minus the mean of the plate's negative-control wells (two at least, else of all
        its wells), divided by the spread of control wells about that mean, over all plates.
        `plate`: the same with all wells. `none`. `auto`: `controls` where there are any.
    statistic : str
        Of a well's cells: `median`, `mean` or `trimmed-mean`, see `aggregate`.

    Returns
    -------
    WellProfiles
    """
    check_features(adata)
    check_rule(normalise, ("auto", *PROFILE_NORMALISATIONS))
    wells, middles = _wells(adata, treatments, control, statistic)
    negative = wells["control"].to_numpy()
    if normalise == "auto":
        normalise = "controls" if negative.sum() >= ENOUGH_CONTROLS else "plate"
    if normalise == "controls" and negative.sum() < ENOUGH_CONTROLS:
        raise EmbeddingError(
            f"normalising on controls needs {ENOUGH_CONTROLS} negative-control wells at least, got "
            f"{int(negative.sum())}: fill {control} with 'negative', or take normalise='plate'."
        )
    if normalise == "none":
        return WellProfiles(wells, middles, middles[:0], "nothing")
    return _normalise(wells, middles, by_controls=normalise == "controls")


def _wells(
    adata: ad.AnnData, treatments: NDArray[np.str_], control: str | None, statistic: str
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Middle features (W, D) of each plate, well and treatment."""
    obs = adata.obs
    table = pd.DataFrame({"treatment": name_controls(treatments, obs, control)})
    for name, source in (("plate", PLATE), ("well", WELL)):
        table[name] = text_values(obs[source], source) if source in obs.columns else ""
    if WELL not in obs.columns:
        _LOG.warning(
            "the cells name no well: all of a treatment's on a plate count as one well. Call the column that "
            "holds them %s.",
            WELL,
        )
    table["control"] = is_negative(obs, control)
    table["cells"] = cell_counts(obs)
    kept = table["treatment"] != ""
    if not kept.any():
        raise EmbeddingError("no cell has a treatment: fill the column that names it.")
    if not kept.all():
        _LOG.warning("%d cells without treatment are left out.", int((~kept).sum()))
    grouped = table[kept].groupby(["plate", "well", "treatment"], sort=True)
    wells = grouped.agg(cells=("cells", "sum"), control=("control", "any")).reset_index()
    groups = np.full(len(table), -1, dtype=np.int64)
    groups[kept] = grouped.ngroup()
    return wells, aggregate(features(adata), groups, statistic=statistic)


def _normalise(
    wells: pd.DataFrame, middles: NDArray[np.float64], *, by_controls: bool
) -> WellProfiles:
    """Centre each plate and divide by the spread of the reference wells; the profiles take the place of `middles`."""
    values = middles
    values[:] = standardise(middles)
    negative = wells["control"].to_numpy()
    reference = negative if by_controls else np.ones(len(wells), dtype=bool)
    residuals, null = [], [values[:0]]
    lacking = []
    for plate in wells["plate"].unique():
        here = (wells["plate"] == plate).to_numpy()
        own = here & reference
        few = own.sum() < ENOUGH_CONTROLS
        centre = values[here if few else own].mean(axis=0)
        if few:
            lacking.append(plate)
        else:
            spread = values[own] - centre
            residuals.append(spread * np.sqrt(own.sum() / (own.sum() - 1)))
            # Left-one-out: a control well must not help to draw the centre it is measured from.
            null.append((spread * own.sum() / (own.sum() - 1))[negative[own]])
        values[here] -= centre
    if lacking and by_controls:
        _LOG.warning(
            "%d of %d plates have fewer than %d negative-control wells and are centred on all.",
            len(lacking),
            wells["plate"].nunique(),
            ENOUGH_CONTROLS,
        )
    scale = _spread(residuals)
    name = "negative-control wells of each plate" if by_controls else "all wells of each plate"
    values /= scale
    return WellProfiles(wells, values, np.concatenate(null) / scale, name)


def _spread(residuals: list[NDArray[np.float64]]) -> NDArray[np.float64] | float:
    """Deviation (D,) of the reference wells about their plate's centre, a little pooled."""
    if not residuals:
        return 1.0
    deviations = np.concatenate(residuals)
    variance = (deviations**2).mean(axis=0)
    pooled = (len(deviations) * variance + PRIOR_WELLS * variance.mean()) / (
        len(deviations) + PRIOR_WELLS
    )
    return np.sqrt(np.where(pooled > 0, pooled, 1))

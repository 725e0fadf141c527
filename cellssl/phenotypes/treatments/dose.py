"""How far wells are from the negative control, or on the way to the positive one, against their dose."""

import logging
import re

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from cellssl.columns import COMPOUND, CONTROL, bare_name, find_column, texts_of, unit_column
from cellssl.controls import control_kinds
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.columns import require_column, text_values, well_names
from cellssl.phenotypes.treatments.profiles import ENOUGH_CONTROLS, WellProfiles, well_profiles
from cellssl.words import listed

_LOG = logging.getLogger(__name__)

FEWEST_DOSES = 4  # different ones in a column that nobody named
_MICRO = re.compile(r"^u(?=([mM]|mol|g|[lL])\b)")


def choose_dose(obs: pd.DataFrame, dose: str | None = None) -> str | None:
    """Find the column of doses: the one named, else a numeric one called dose or concentration.

    Returns
    -------
    str or None
        None when none was named and no column of that name has at least four different numbers, of
        which some compound, where there are several, has more than one: compounds at one dose each
        make no series.
    """
    if dose is not None:
        name = find_column(obs.columns, dose) or dose
        given = require_column(obs, name, purpose="the doses")
        if not pd.to_numeric(given, errors="coerce").notna().any():
            raise EmbeddingError(
                f"{name} holds no numbers, which doses are: name another column (--dose)."
            )
        return name
    for name in obs.columns:
        called = any(word in name.lower() for word in ("dose", "concentration"))
        if not called:
            continue
        doses = pd.to_numeric(obs[name], errors="coerce")
        if doses.nunique() >= FEWEST_DOSES and _make_a_series(doses, obs):
            return str(name)
    return None


def dose_title(obs: pd.DataFrame, dose: str) -> str:
    """Name doses with their unit, where the cells say one for all (``Metadata_ConcentrationUnit``).

    Of plates that were joined, some may name another unit, or none, which is said: then no unit is shown. A dose of 0,
    and that of a control, needs none.

    Examples
    --------
    >>> cells = pd.DataFrame({"Metadata_Concentration": [0.1], "Metadata_ConcentrationUnit": ["uM"]})
    >>> dose_title(cells, "Metadata_Concentration")
    'Concentration (µM)'
    """
    title = bare_name(dose)
    column = unit_column(dose)
    if column not in obs.columns:
        return title
    doses = pd.to_numeric(obs[dose], errors="coerce")
    drawn = doses.notna() & (doses != 0)
    if CONTROL in obs.columns:
        drawn &= control_kinds(obs[CONTROL]) == ""
    units = sorted(set(texts_of(obs.loc[drawn, column].drop_duplicates())))
    if len(units) > 1:
        said = [_MICRO.sub("µ", unit) or "no unit" for unit in units]
        _LOG.warning("some doses in %s are said in %s: the axis names no unit", title, listed(said))
    return title if len(units) != 1 or not units[0] else f"{title} ({_MICRO.sub('µ', units[0])})"


def _make_a_series(doses: pd.Series, obs: pd.DataFrame) -> bool:
    """Tell whether doses differ within a compound; where compounds are not known, they may."""
    if COMPOUND not in obs.columns:
        return True
    compounds = text_values(obs[COMPOUND], COMPOUND)
    return bool(doses.groupby(compounds).nunique().max() > 1)


def dose_positions(cells: ad.AnnData, dose: str, *, control: str = CONTROL) -> pd.DataFrame:
    """Project each well's profile on the axis from the negative to the positive control.

    Profiles are medians of a well's cells, normalised on the plate's negative controls (see `well_profiles`). The axis
    is drawn through the control wells, which therefore lie well apart on it by construction: only the other wells say
    something new, and `correlate_doses` uses them alone. Without positive controls there is no axis, and the
    position is the distance from the negative ones in any direction.

    Parameters
    ----------
    cells : AnnData
        An embedding.
    dose : str
        Numeric column of obs.
    control : str
        Column that says ``negative``, and ``positive`` where there are such.

    Returns
    -------
    DataFrame
        A row per well: plate, well, line, dose, control, cells, position (0: mean of the negative
        controls, 1: mean of the positive ones; without these, 1: as far as single control wells are, by
        their root-mean-square). *line* is what doses are compared along: the well's
        compound where the wells that are no controls have several, else its row on the plate.

    Raises
    ------
    EmbeddingError
        When a column, or the negative control, is missing, or of this alone no plate has two wells.
    """
    given = require_column(cells.obs, control, purpose="the controls")
    control = str(given.name)
    kind = control_kinds(given)
    wells = well_names(cells.obs)
    if wells is None:
        raise EmbeddingError(
            "doses are read per well, and the cells name no wells (Metadata_Well)."
        )
    if not (kind == "negative").any():
        raise EmbeddingError(
            f"no cell is a negative control: fill {control} (--control-column when indexing the plate)."
        )
    made = well_profiles(cells, wells, control=control)
    doses = pd.to_numeric(cells.obs[dose], errors="coerce").to_numpy()
    by_well = pd.DataFrame({"dose": doses, "control": kind}).groupby(wells).first()
    table = made.wells[["treatment", "plate", "well", "cells"]].join(by_well, on="treatment")
    table["line"] = _lines(table, cells.obs, wells)
    positive = (table["control"] == "positive").to_numpy()
    if not positive.any():
        table["position"] = _distances(made, control)
    else:
        start = made.profiles[table["control"] == "negative"].mean(axis=0)
        axis = made.profiles[positive].mean(axis=0) - start
        table["position"] = (made.profiles - start) @ axis / (axis @ axis)
    return table.drop(columns="treatment").sort_values(["plate", "well"], ignore_index=True)


def _distances(made: WellProfiles, control: str) -> NDArray[np.float64]:
    """Length of each well's profile (W,), in units of a control well's as the others of its plate see it."""
    if made.wells["control"].sum() < ENOUGH_CONTROLS or not len(made.null):
        raise EmbeddingError(
            f"no plate has two wells of negative controls: how far one lies by chance is not known. Fill {control}."
        )
    lengths: NDArray[np.float64] = np.linalg.norm(made.profiles, axis=1)
    return lengths / made.control_length


def correlate_doses(positions: pd.DataFrame) -> pd.DataFrame:
    """Spearman's ρ of position and dose over the wells that are no controls, for each line of wells and all.

    Parameters
    ----------
    positions : DataFrame
        From `dose_positions`.

    Returns
    -------
    DataFrame
        line ("all" last), spearman (see `spearman`), wells.
    """
    series = dose_series(positions)
    groups = [*series.groupby("line"), ("all", series)]
    return pd.DataFrame(
        {
            "line": [name for name, _ in groups],
            "spearman": [spearman(group) for _, group in groups],
            "wells": [len(group) for _, group in groups],
        }
    )


def dose_series(positions: pd.DataFrame) -> pd.DataFrame:
    """Keep the wells that are no controls and have a dose, of what `dose_positions` gives."""
    return positions[(positions["control"] == "") & positions["dose"].notna()]


def _lines(table: pd.DataFrame, obs: pd.DataFrame, wells: NDArray[np.str_]) -> pd.Series:
    """Say along what the dose of each well is compared: its compound, or its row on the plate."""
    rows = table["well"].str.replace(r"\d+$", "", regex=True)
    if COMPOUND not in obs.columns:
        return rows
    names = text_values(obs[COMPOUND], COMPOUND)
    of_wells = pd.Series(names).groupby(wells).first()
    compounds = of_wells.loc[table["treatment"]].set_axis(table.index)
    treated = compounds[(table["control"] == "") & (compounds != "")]
    return compounds.where(compounds != "", "no compound") if len(set(treated)) > 1 else rows


def spearman(wells: pd.DataFrame) -> float:
    """Correlate the ranks of dose and position; NaN for fewer than three wells, or where one is constant."""
    if len(wells) < 3 or wells[["dose", "position"]].nunique().min() < 2:
        return float("nan")
    return float(np.asarray(spearmanr(wells["dose"], wells["position"]).statistic))

"""Embeddings by mantispy's morphology schema 2.0, an AnnData with fixed names.

Source: ``spec/morphology-schema-2.0.md`` of mantispy 0.1.0a1 (https://github.com/scverse/mantispy), which
calls itself an experimental draft. mantispy needs Python 3.12; nothing here needs mantispy.
"""

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import (
    CONCENTRATION,
    CONTROL,
    LABEL,
    PLATE,
    SITE,
    WELL,
    texts_of,
    unit_column,
)
from cellssl.controls import control_kinds, foreign_kinds
from cellssl.errors import EmbeddingError, PlateError
from cellssl.phenotypes.embeddings.profile_tables import COMPARTMENTS
from cellssl.phenotypes.naming import treatment_names
from cellssl.wells import normalise_well

VERSION = "2.0"
UNITS = ("M", "mM", "uM", "nM", "pM")
TEXTS = ("object", "feature_group", "feature", "channel", "radial_bin", "params")
NUMBERS = ("scale", "angle", "gray_levels")
CONTROLS = {"negative": "negcon", "positive": "poscon", "": "treatment"}
# Models whose features are measurements with a meaning, not dimensions that were learnt.
MEASURED = ("simple-features", "intensity-features")

UNIT = unit_column(CONCENTRATION)
CONTROL_TYPE = "Metadata_Control_Type"
# In front of a column whose values the schema wants otherwise: what they were.
KEPT = "cellssl_"


def to_mantispy(cells: ad.AnnData, X: NDArray[np.float32], *, unit: str | None) -> ad.AnnData:
    """Bring an embedding into mantispy's schema; `from_mantispy` takes it back.

    Parameters
    ----------
    cells : AnnData
        Rows are cells, or wells where plate and well tell them apart and they name no site or label.
    X : (N, D) float32
        Its features.
    unit : str, optional
        Of `Metadata_Concentration`: "M", "mM", "uM", "nM" or "pM". The schema allows no
        concentration without a unit; where the cells say theirs, it may be left out.

    Raises
    ------
    EmbeddingError
        When the unit is not known or another than the cells say, a well is none, or a control is
        neither negative nor positive.
    """
    obs = cells.obs.copy()
    by_well = {PLATE, WELL} <= set(obs) and not {SITE, LABEL} & set(obs)
    by_well = by_well and not obs[[PLATE, WELL]].astype(str).duplicated().any()
    if WELL in obs:
        _replace(obs, WELL, _normalise_wells(obs[WELL]))
    if CONTROL in obs and CONTROL_TYPE not in obs:
        kinds = _control_types(obs[CONTROL])
        obs[CONTROL_TYPE] = kinds
        _replace(obs, CONTROL, kinds != "treatment")
    if CONCENTRATION in obs:
        _replace(obs, CONCENTRATION, _read_doses(obs[CONCENTRATION]))
        _add_unit(obs, unit)
    names = treatment_names(cells.obs)
    if names is not None and "Metadata_Perturbation" not in obs:
        obs["Metadata_Perturbation"] = names.astype(object)
    if not by_well:
        _identify(obs, cells.obs_names)
    result = ad.AnnData(X, obs=obs, var=_variables(cells))
    result.uns["cellssl"] = _provenance(cells, result)
    result.uns["mantispy"] = {
        "schema_version": VERSION,
        "resolution": "well" if by_well else "object",
        "grouped_by": np.asarray([PLATE, WELL] if by_well else [], dtype=object),
    }
    if "Metadata_Perturbation" in obs:
        control = {"control_column": CONTROL_TYPE} if CONTROL_TYPE in obs else {}
        result.uns["mantispy"]["perturbation"] = {"column": "Metadata_Perturbation", **control}
    return result


def from_mantispy(cells: ad.AnnData) -> ad.AnnData:
    """Undo `to_mantispy`; in any other object by the schema name the controls as cellssl does."""
    if "mantispy" not in cells.uns:
        return cells
    provenance = dict(cells.uns.get("cellssl", {}))
    added = provenance.pop("exported", None)
    if added is None:
        if CONTROL_TYPE in cells.obs:
            back = {theirs: own for own, theirs in CONTROLS.items()}
            kinds = cells.obs[CONTROL_TYPE].astype(str).map(back).fillna("")
            cells.obs[CONTROL] = kinds.astype(object)
        return cells
    table = {
        str(name): cells.obs[f"{KEPT}{name}" if f"{KEPT}{name}" in cells.obs else name]
        for name in cells.obs.columns
        if name not in added["obs"] and not str(name).startswith(KEPT)
    }
    obs = pd.DataFrame(table, index=cells.obs_names)
    var = cells.var.drop(columns=[name for name in added["var"] if name in cells.var])
    uns = {key: value for key, value in cells.uns.items() if key not in ("mantispy", "cellssl")}
    return ad.AnnData(cells.X, obs=obs, var=var, uns={**uns, "cellssl": provenance})


def _replace(obs: pd.DataFrame, name: str, values: NDArray) -> None:
    """Give a column other values, and keep what they were where they differ."""
    before = obs[name]
    if before.dtype != values.dtype or not (before.to_numpy() == values).all():
        obs[f"{KEPT}{name}"] = before
    obs[name] = values


def _normalise_wells(column: pd.Series) -> NDArray[np.object_]:
    """Write wells as A01."""
    texts = texts_of(column)
    names = {}
    for text in texts.unique():
        try:
            names[text] = normalise_well(text)
        except PlateError as error:
            raise EmbeddingError(
                f"{WELL} {text!r} is no well: mantispy's schema wants A01, B12, … for every row. Name "
                "the wells so, or take .parquet or .csv."
            ) from error
    return texts.map(names).to_numpy(dtype=object)


def _control_types(column: pd.Series) -> NDArray[np.object_]:
    """Turn negative, positive and nothing into the schema's words."""
    odd = foreign_kinds(column)
    if odd:
        raise EmbeddingError(
            f"{CONTROL} {odd[0]!r}: mantispy's schema knows negative and positive controls; write "
            "'negative', 'positive' or nothing."
        )
    return pd.Series(control_kinds(column)).map(CONTROLS).to_numpy(dtype=object)


def _read_doses(column: pd.Series) -> NDArray[np.float64]:
    """Turn concentrations into numbers, NaN where there is none."""
    texts = texts_of(column)
    numbers = pd.to_numeric(texts.where(texts != "", "nan"), errors="coerce")
    odd = texts[numbers.isna() & ~texts.str.lower().isin(["", "nan"])]
    if len(odd):
        raise EmbeddingError(
            f"{CONCENTRATION} {odd.iloc[0]!r} is no number: mantispy's schema wants numbers, and their unit apart."
        )
    return numbers.to_numpy(dtype=np.float64)


def _add_unit(obs: pd.DataFrame, unit: str | None) -> None:
    """Add the unit that is given, unless the cells say theirs: then it must be the same."""
    if UNIT not in obs:
        if unit not in UNITS:
            got = "none was given" if unit is None else f"got {unit!r}"
            raise EmbeddingError(
                f"mantispy's schema wants the unit of {CONCENTRATION}, and {got}: name it with unit= (--unit), one of "
                f"{', '.join(UNITS)}."
            )
        obs[UNIT] = unit
    other = sorted(set(texts_of(obs[UNIT].drop_duplicates())) - {"", unit})
    if unit is not None and other:
        raise EmbeddingError(
            f"{UNIT} says {other[0]}, and the unit that is given is {unit}: leave unit= (--unit) out, or "
            "drop that column where it is wrong."
        )


def _identify(obs: pd.DataFrame, names: pd.Index) -> None:
    """Add image and number of each object; a row without plate, well or site is an image of its own."""
    places = [name for name in (PLATE, WELL, SITE) if name in obs]
    if "Metadata_ImageID" not in obs:
        images = (
            obs[places].apply(texts_of).agg("|".join, axis=1)
            if places
            else pd.Series(names, obs.index)
        )
        obs["Metadata_ImageID"] = images.to_numpy(dtype=object)
    if "Metadata_ObjectType" not in obs:
        obs["Metadata_ObjectType"] = "Cells"
    if "Metadata_ObjectNumber" not in obs:
        obs["Metadata_ObjectNumber"] = _number_objects(obs)


def _number_objects(obs: pd.DataFrame) -> NDArray[np.int64]:
    """Give the objects of an image their label where it tells them apart, else their order from 1."""
    whole = LABEL in obs and pd.api.types.is_integer_dtype(obs[LABEL])
    if whole and not obs[["Metadata_ImageID", LABEL]].duplicated().any():
        return obs[LABEL].to_numpy(dtype=np.int64)
    order = obs.groupby("Metadata_ImageID", sort=False).cumcount()
    return order.to_numpy(dtype=np.int64) + np.int64(1)


def _variables(cells: ad.AnnData) -> pd.DataFrame:
    """Annotate the features; fields that have no meaning for them stay empty, as the schema says."""
    nothing = np.full(cells.n_vars, -1, np.int8)
    wanted = {
        **dict.fromkeys(TEXTS, pd.Categorical.from_codes(nothing, pd.Index([], dtype=object))),
        **dict.fromkeys(NUMBERS, np.nan),
        "is_feature": True,
        "feature_kind": _feature_kind(cells),
    }
    return cells.var.assign(**{name: wanted[name] for name in wanted if name not in cells.var})


def _feature_kind(cells: ad.AnnData) -> str:
    """Tell measurements from dimensions of an embedding."""
    about = cells.uns.get("cellssl", {})
    named = all(str(name).startswith(COMPARTMENTS) for name in cells.var_names)
    return "measurement" if about.get("model") in MEASURED or named else "embedding"


def _provenance(cells: ad.AnnData, made: ad.AnnData) -> dict:
    """Say what was added, so that it can be taken away again."""
    obs_added = [n for n in made.obs if n not in cells.obs and not n.startswith(KEPT)]
    var_added = [n for n in made.var if n not in cells.var]
    added = {"obs": np.asarray(obs_added, dtype=object), "var": np.asarray(var_added, dtype=object)}
    return {**cells.uns.get("cellssl", {}), "exported": added}

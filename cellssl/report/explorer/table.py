"""The cells' table as the page's scripts read it."""

import base64
from typing import Any

import numpy as np
import pandas as pd

from cellssl.columns import bare_name
from cellssl.report.figures.style import UNKNOWN, control_names, drawn_names, natural_order

# What the page's scripts call them.
_TYPES = {"uint8": "u1", "uint16": "u2", "int32": "i4", "float32": "f4", "float64": "f8"}


def pack(values: np.ndarray) -> dict[str, str]:
    """Write numbers as base64 text of little-endian bytes, with the name of their type."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"type": _TYPES[values.dtype.name], "data": data}


def pack_columns(obs: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn every column into names and codes, or into numbers (NaN where one is missing).

    Returns
    -------
    list of dict
        Per column ``name``, ``label`` (without ``Metadata_``), ``names`` (None for numbers; an empty name stands for a
        missing one), ``grey`` (places in ``names`` of what all negative controls are called) and ``values`` as `pack`
        writes them.
    """
    return [_column(str(name), obs) for name in obs.columns]


def _column(name: str, obs: pd.DataFrame) -> dict[str, Any]:
    column, grey = obs[name], []
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        names, values = None, _numbers(column)
    else:
        names, values = _names(drawn_names(obs, name))
        grey = [names.index(control) for control in control_names(obs, name) if control in names]
    label = bare_name(name)
    return {"name": name, "label": label, "names": names, "grey": grey, "values": pack(values)}


def _numbers(column: pd.Series) -> np.ndarray:
    """Keep single precision and small whole numbers as they are; all else is double precision."""
    if pd.api.types.is_integer_dtype(column) and not column.isna().any():
        small = np.iinfo(np.int32)
        fits = column.between(small.min, small.max).all()
        return column.to_numpy(np.int32 if fits else np.float64)
    kind = np.float32 if column.dtype == np.float32 else np.float64
    return column.to_numpy(dtype=kind, na_value=np.nan)


def _names(texts: pd.Series) -> tuple[list[str], np.ndarray]:
    names = natural_order(texts)
    codes = pd.Categorical(texts, categories=names).codes
    kind = next(kind for kind in ("uint8", "uint16", "int32") if len(names) <= np.iinfo(kind).max)
    return ["" if name == UNKNOWN else name for name in names], codes.astype(kind)

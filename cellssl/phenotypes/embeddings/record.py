"""What a table of profiles cannot say of itself: true names, types, and where the features come from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from cellssl.columns import TEXTS, is_text
from cellssl.nested import as_json

_KIND = "cellssl embedding"
CELL = "Metadata_Cell"  # the column that names the cells
_TEXT = pd.Series(["text"]).dtype  # what this one takes them for


@dataclass(frozen=True)
class Record:
    """Names, types and provenance of an embedding, as plain values.

    Attributes
    ----------
    obs : mapping
        Column in the file → its name in `obs`, its type, and of a text the cells where it is missing.
    features : mapping
        Column in the file → name of the feature, in their order.
    var : mapping
        Further columns of `var`: their values and types.
    provenance : mapping
        ``uns["cellssl"]``.
    """

    obs: Mapping[str, Mapping[str, Any]]
    features: Mapping[str, str]
    var: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: ad.AnnData, obs: Mapping[str, str], features: Mapping[str, str]) -> "Record":
        """Describe an embedding whose columns are written under other names: file → own name."""
        described = {name: _describe(cells.obs[own], own) for name, own in obs.items()}
        var = {
            str(name): {
                "values": as_json(list(cells.var[name])),
                **_describe(cells.var[name], name),
            }
            for name in cells.var.columns
        }
        return cls(described, dict(features), var, as_json(dict(cells.uns.get("cellssl", {}))))

    def to_json(self) -> str:
        """Write it as one line."""
        return json.dumps({"kind": _KIND, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Record | None":
        """Read what `to_json` wrote; None when it is something else."""
        try:
            stored = json.loads(text)
            if not isinstance(stored, dict) or stored.get("kind") != _KIND:
                return None
            return cls(**{key: stored[key] for key in ("obs", "features", "var", "provenance")})
        except (ValueError, KeyError, TypeError):
            return None

    def restore(self, table: pd.DataFrame) -> pd.DataFrame:
        """Give columns of the file their own names and types, and their missing values; others stay."""
        columns = [
            _restore(table[name], self.obs[name]) if name in self.obs else table[name]
            for name in table.columns
        ]
        return pd.concat(columns, axis=1) if columns else table

    def restore_var(self) -> pd.DataFrame:
        """Give `var` with the features' names."""
        index = pd.Index(list(self.features.values()), dtype=_TEXT)
        columns = {
            name: _restore(pd.Series(about["values"], index=index, dtype=object), about)
            for name, about in self.var.items()
        }
        return pd.DataFrame(columns, index=index)

    def uns(self) -> dict[str, Any]:
        """Give the provenance as an h5ad holds it: lists as arrays."""
        return _with_arrays(dict(self.provenance))


def _describe(column: pd.Series, own: str) -> dict[str, Any]:
    """Say a column's name, type and, of texts, where there is none."""
    about: dict[str, Any] = {"name": own, "type": str(column.dtype), "missing": []}
    if isinstance(column.dtype, pd.CategoricalDtype):
        about["categories"] = as_json(list(column.cat.categories))
        about["ordered"] = bool(column.cat.ordered)
    elif is_text(column):
        about["missing"] = [str(name) for name in column.index[column.isna()]]
    return about


def _restore(values: pd.Series, about: Mapping[str, Any]) -> pd.Series:
    """Undo what a file does to a column."""
    if "categories" in about:
        categories = pd.Index(about["categories"])
        if not isinstance(values.dtype, pd.CategoricalDtype):
            by_text = {str(category): category for category in categories}
            values = values.astype(object).astype(str).map(by_text)
        values = values.astype(pd.CategoricalDtype(categories, about["ordered"]))
    elif str(values.dtype) != about["type"] or about["type"] in TEXTS:
        values = _cast(values, about["type"])
    if about["missing"]:
        values = values.where(~values.index.isin(about["missing"]), other=np.nan)
    return values.rename(about["name"])


def _cast(values: pd.Series, kind: str) -> pd.Series:
    """Turn the texts of a CSV into a type."""
    if kind == "bool":
        return values.astype(str).str.lower() == "true"
    if kind in TEXTS:
        return values.astype(_TEXT)
    # A number's shortest text is read exactly.
    return values.where(values != "", None).astype("string").astype(pd.api.types.pandas_dtype(kind))


def _with_arrays(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_arrays(inner) for key, inner in value.items()}
    if isinstance(value, list):
        text = not value or any(isinstance(inner, str) for inner in value)
        return np.asarray(value, dtype=object if text else None)
    return value

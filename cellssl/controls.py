"""Which rows of a table are controls: the one place where the words and values that say so are compared."""

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellssl.columns import texts_of
from cellssl.words import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray


_LOG = logging.getLogger(__name__)

# What tables call controls, in any case, and what this is called here.
_KINDS = {"negative": "negative", "negcon": "negative", "positive": "positive"}
_KINDS |= {"poscon": "positive", "": "", "nan": ""}


def rows_with(column: pd.Series, value: str) -> "NDArray[np.bool_]":
    """Say of each row whether a column holds a value; numbers are compared as numbers.

    Where no row has it as it is written, capitals do not count: "dmso" is "DMSO", but where there are
    "taxol" and "Taxol", each is its own.

    Examples
    --------
    >>> rows_with(pd.Series(["DMSO", "taxol", "Taxol"]), "dmso").tolist()
    [True, False, False]
    >>> rows_with(pd.Series(["DMSO", "taxol", "Taxol"]), "Taxol").tolist()
    [False, False, True]
    >>> rows_with(pd.Series([-1.0, 0.5, None]), "-1").tolist()
    [True, False, False]
    """
    codes, there = pd.factorize(column)  # of a million cells some hundreds are different
    texts, wanted = texts_of(pd.Series(there)), str(value).strip()
    same = texts == wanted
    number = pd.to_numeric(pd.Series([wanted]), errors="coerce").iloc[0]
    if not pd.isna(number):
        same |= pd.to_numeric(texts, errors="coerce") == number
    if not same.any():
        same = texts.str.casefold() == wanted.casefold()
    return np.append(same.to_numpy(dtype=bool), False)[codes]


def control_kinds(column: pd.Series) -> "NDArray[np.str_]":
    """Say of each row "negative" or "positive", by what a column of controls calls it; else "".

    Examples
    --------
    >>> control_kinds(pd.Series(["Negative", "poscon", "treated", None])).tolist()
    ['negative', 'positive', '', '']
    """
    codes, there = pd.factorize(column)
    kinds = _words(there).map(_KINDS).fillna("")
    return np.append(kinds.to_numpy(dtype="<U8"), "")[codes]


def foreign_kinds(column: pd.Series) -> list[str]:
    """List what a column of controls holds that names no kind of control.

    Examples
    --------
    >>> foreign_kinds(pd.Series(["Negative", "Treated", ""]))
    ['treated']
    """
    return sorted(set(_words(column.unique())) - set(_KINDS))


def tidy_controls(column: pd.Series) -> "NDArray[np.str_]":
    """Give `control_kinds` of a column of ``Metadata_Control``, and say what it holds that is none of them."""
    if foreign := foreign_kinds(column):
        _LOG.warning(
            "Metadata_Control has %s: only negative and positive (or negcon, poscon) mark controls",
            listed(foreign),
        )
    return control_kinds(column)


def _words(values: "NDArray | pd.Index") -> "pd.Series[str]":
    return texts_of(pd.Series(values)).str.lower()

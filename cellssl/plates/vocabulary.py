"""Names of metadata columns: in their own spelling, and those that a table has more than once."""

import logging
import re
from pathlib import Path

import pandas as pd

from cellssl.columns import (
    BATCH,
    COMPOUND,
    CONCENTRATION,
    CONTROL,
    FIELD,
    GENE,
    GUIDE,
    MECHANISM,
    bare_name,
)
from cellssl.errors import PlateError
from cellssl.treatments import tells_treatment
from cellssl.words import listed

_LOG = logging.getLogger(__name__)

# What tables tell of fields, in this order.
COLUMNS = (
    *(*FIELD, BATCH, COMPOUND, CONCENTRATION),
    *(GENE, GUIDE, MECHANISM, CONTROL),
)
# Names, even where they are made of digits: plate 1049 is no quantity.
NAMES = {*COLUMNS, "Metadata_Perturbation"} - {CONCENTRATION}
_STANDARD = {bare_name(name).lower(): name for name in {*COLUMNS, *NAMES}}
_PLACES = ("row", "column")
_NUMBER = re.compile(r"\.\d+$")  # as pandas calls the second of two columns of one name


def standard(name: str) -> str:
    """Give a column its ``Metadata_`` name; the shared vocabulary in its own spelling.

    Examples
    --------
    >>> standard("compound"), standard("Metadata_Passage")
    ('Metadata_Compound', 'Metadata_Passage')
    """
    bare = bare_name(name)
    return _STANDARD.get(bare.lower(), f"Metadata_{bare}")


def told_once(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Keep the first of several columns that tell one thing that is used, such as Compound and compound.

    Raises
    ------
    PlateError
        When they differ: which one is meant, nobody can tell.

    Examples
    --------
    >>> twice = pd.DataFrame({"Well": ["A1"], "Compound": ["taxol"], "Compound.1": ["taxol"]})
    >>> list(told_once(twice, Path("wells.csv")))
    ['Well', 'Compound']
    """
    left_out = []
    for meaning, names in _by_meaning(table).items():
        # Of others the second has a name of its own, unless only Metadata_ in front tells them apart.
        one_name = len({standard(name) for name in names}) < len(names)
        if len(names) == 1 or not (_is_used(meaning) or one_name):
            continue
        first, *others = names
        for other in others:
            _check_same(table[first], table[other], path)
        left_out += others
        _LOG.info(
            "%s: %s is read, and what says the same left out: %s", path, first, listed(others)
        )
    return table.drop(columns=left_out)


def _by_meaning(table: pd.DataFrame) -> dict[str, list[str]]:
    """Group columns by what they tell: capitals, Metadata_ and a number that pandas gave do not count."""
    plain = {str(name): bare_name(name).lower() for name in table}
    there = set(plain.values())
    meanings: dict[str, list[str]] = {}
    for name, bare in plain.items():
        first = _NUMBER.sub("", bare)
        meanings.setdefault(first if first in there else bare, []).append(name)
    return meanings


def _is_used(meaning: str) -> bool:
    return meaning in _STANDARD or meaning in _PLACES or tells_treatment(meaning)


def _check_same(first: pd.Series, second: pd.Series, path: Path) -> None:
    wrong = (first != second).to_numpy().nonzero()[0]
    if len(wrong):
        raise PlateError(
            f"{path}: the columns {first.name} and {second.name} would both be read as {bare_name(first.name)}, and "
            f"they differ, first in row {wrong[0] + 1} below the names: {first.iloc[wrong[0]]!r} and "
            f"{second.iloc[wrong[0]]!r}. Take one out, or give it a name that says what it tells."
        )

"""Doses with their units: which column has them, and what amounts they are."""

import logging
import re

import pandas as pd

from cellssl.columns import CONCENTRATION, bare_name, texts_of, unit_column
from cellssl.punctuation import doubtful_points
from cellssl.words import NOTHING, listed

_LOG = logging.getLogger(__name__)

_UNITS = unit_column(CONCENTRATION)  # what a unit that was said became
_MICROMOLAR = {"fm": 1e-9, "pm": 1e-6, "nm": 1e-3, "um": 1.0, "mm": 1e3, "m": 1e6}
_UNIT = "(?:[fpnumµμ]m|(?-i:M))"  # of either letter mu; a lone m is a metre or a minute
_DOSE_NAME = re.compile(
    rf"(?:conc\.?|concentration|dose)(?:[ _,(\[]+(?P<unit>{_UNIT})[)\]]?)?", re.IGNORECASE
)
_UNIT_NAME = re.compile(r"(?:(?:conc\.?|concentration|dose)[ _]*)?units?", re.IGNORECASE)
_MAYBE_DOSES = re.compile(
    r"(?<![a-z])(?:log ?(?:10)?[ _]?\[?(?:c|(?-i:M))(?![a-z])|"
    r"conc(?![a-z])|[ck]on[cz]entration|dos(?:e|is)|[mnuµμ]?moles?[ _]per|(?-i:[fpnumµμ]M)(?![a-z]))",
    re.IGNORECASE,
)
# A decimal comma is read where it cannot part thousands.
_WITH_COMMA = r"(?:0?,\d+|\d+,(?!\d{3}(?!\d))\d+)"
_NUMBER = rf"[+-]?(?:{_WITH_COMMA}|\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_DOSE = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<unit>{_UNIT})?", re.IGNORECASE)
# Where one comma of a column is a decimal one, all are, and a point may part thousands.
_DECIMAL_COMMA = re.compile(rf"[+-]?{_WITH_COMMA}(?!\d).*", re.IGNORECASE | re.DOTALL)
_COMMA_DOSE = re.compile(
    rf"(?P<number>[+-]?(?:\d*,\d+|\d+|\d*\.(?!\d{{3}}(?!\d))\d+)(?:e[+-]?\d+)?)\s*(?P<unit>{_UNIT})?",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    rf"[\s_,;@(-]*{_NUMBER} *(?:{_UNIT}|%|[munpµμ]?g/m?l)(?![a-z0-9])[\s_,;)-]*", re.IGNORECASE
)
_PARTED = re.compile(r"[+-]?\d{1,3}(?P<mark>[.,])\d{3}(?!\d)")
_NO_LOGARITHMS = ": of logarithms write the amounts (of -6, in M, 1 µM)"
_MOLAR = 1e-3  # below what is hardly ever the highest dose in µM, or in nM
_EMPTY = ("", *NOTHING, "–", "—")  # in small letters


def is_dose(column: object) -> bool:
    """Say whether a column is called as doses are.

    Examples
    --------
    >>> is_dose("Metadata_Concentration"), is_dose("Dose (nM)"), is_dose("Passage")
    (True, True, False)
    """
    return _DOSE_NAME.fullmatch(bare_name(column)) is not None


def recognise_doses(table: pd.DataFrame) -> pd.DataFrame:
    """Give wells ``Metadata_Concentration`` where a column says it, in µM where units are said."""
    named = {bare_name(name): str(name) for name in table}
    matches = {name: _DOSE_NAME.fullmatch(plain) for plain, name in named.items()}
    doses = {name: match["unit"] for name, match in matches.items() if match}
    if CONCENTRATION in doses:
        doses = {CONCENTRATION: None}
    if len(doses) > 1:
        _LOG.warning(
            "doses may be those of %s: call the right column Concentration", " or ".join(doses)
        )
        return table
    if not doses:
        _say_maybe_doses(table)
        return table
    ((source, unit),) = doses.items()
    column = None if unit else _unit_column(table, named)
    units = pd.Series(unit or "", index=table.index) if column is None else table[column]
    read = source == CONCENTRATION and pd.api.types.is_numeric_dtype(table[source])
    if read and column == _UNITS and set(texts_of(units)) <= {"uM", ""}:
        return table
    pairs = pd.DataFrame({"dose": table[source], "unit": texts_of(units)})
    places = pairs.groupby(["dose", "unit"], dropna=False, sort=False, observed=True).ngroup()
    distinct = pairs[~places.duplicated()]  # of a million cells some dozens
    found = _concentrations(distinct["dose"], distinct["unit"], source)
    if found is None:
        return table
    numbers, micromolar = found[0].to_numpy()[places], found[1]
    if source != CONCENTRATION:
        _LOG.info("%s is taken from %s", CONCENTRATION, source)
    # The column of units is about the doses as they were written: read twice, it would count twice.
    table = table.drop(columns=column or []).assign(**{CONCENTRATION: numbers})
    if micromolar:
        table[_UNITS] = "uM"
    return table


def say_doubtful_doses(table: pd.DataFrame) -> None:
    """Say of doses that some are negative, or that all are so small that they may be molar."""
    doses = table.get(CONCENTRATION)
    if doses is None or not pd.api.types.is_numeric_dtype(doses):
        return
    if (doses < 0).any():
        _LOG.warning(
            "%s holds %g, and no dose is negative%s", CONCENTRATION, doses.min(), _NO_LOGARITHMS
        )
    elif _UNITS not in table and 0 < doses.max() < _MOLAR:
        _LOG.warning(
            "%s is %g at most and has no unit: where it is molar, call the column Concentration (M)",
            CONCENTRATION,
            doses.max(),
        )


def without_amounts(names: pd.Series) -> pd.Series:
    """Leave the amounts out of names: ``taxol 1 µM`` is taxol."""
    return names.str.replace(_AMOUNT, "", regex=True)


def _say_maybe_doses(table: pd.DataFrame) -> None:
    """Name the columns that may hold doses where none is called so that they are read."""
    meant = [
        str(name)
        for name in table
        if _MAYBE_DOSES.search(str(name)) and name != _UNITS
        if texts_of(table[name]).str.contains(r"\d").any()
    ]
    if meant:
        _LOG.warning(
            "no doses are read: %s may hold them. Call the column Concentration, or with its unit Dose (nM), "
            "say%s",
            listed(meant),
            _NO_LOGARITHMS if any("log" in name.lower() for name in meant) else "",
        )


def _unit_column(table: pd.DataFrame, named: dict[str, str]) -> str | None:
    """Find the one column that says in what unit of amount each dose is."""
    columns = [name for plain, name in named.items() if _UNIT_NAME.fullmatch(plain)]
    if len(columns) != 1 or not any(_plain_unit(str(text).strip()) for text in table[columns[0]]):
        return None
    return columns[0]


def _concentrations(doses: pd.Series, units: pd.Series, name: str) -> tuple[pd.Series, bool] | None:
    """Read doses, in µM where their units are said, and say whether; None, with a warning, where they are none."""
    if pd.api.types.is_numeric_dtype(doses) and not units.any():
        return doses, False
    stripped = texts_of(doses)
    texts, said = stripped[~stripped.str.lower().isin(_EMPTY)].to_dict(), units.to_dict()
    commas = any(_DECIMAL_COMMA.fullmatch(text) for text in texts.values())
    form = _COMMA_DOSE if commas else _DOSE
    found = {row: form.fullmatch(text) for row, text in texts.items()}
    numbers = {row: float(m["number"].replace(",", ".")) for row, m in found.items() if m}
    # The dose 0 is 0 in every unit.
    own = {row: m["unit"] or said[row] for row, m in found.items() if m and numbers[row]}
    wrong = [texts[row] for row, match in found.items() if match is None]
    parted = doubtful_points([match["number"] for match in found.values() if match])
    wrong += [text for text in texts.values() if parted is not None and text.startswith(parted)]
    if len(set(own.values())) > 1:
        wrong += [f"{texts[row]} {said[row]}".strip() for row in own if not _plain_unit(own[row])]
    if wrong:
        _LOG.warning(
            "%s holds %r%s, so that wells cannot be ordered by dose. Write numbers of one unit, amounts "
            "such as 500 nM, or nothing",
            name,
            wrong[0],
            _what_parts(wrong[0]),
        )
    if wrong or not numbers:
        return None
    factors = {row: _MICROMOLAR.get(_plain_unit(unit), 1.0) for row, unit in own.items()}
    micromolar = any(_plain_unit(unit) for unit in own.values())
    if micromolar:
        _LOG.info("%s is read in µM", name)
    rounded = {row: float(f"{v * factors.get(row, 1.0):.9g}") for row, v in numbers.items()}
    return pd.Series(rounded, dtype=float).reindex(doses.index), micromolar


def _what_parts(dose: str) -> str:
    """Say that a mark in a dose that was refused may stand between thousands."""
    parted = _PARTED.match(dose)
    mark = "point" if parted and parted["mark"] == "." else "comma"
    return f", whose {mark} may part thousands" if parted else ""


def _plain_unit(unit: str) -> str:
    """Spell a unit as `_MICROMOLAR` does; "" of another."""
    known = re.fullmatch(_UNIT, unit, re.IGNORECASE)
    return re.sub("[µμ]", "u", unit.lower()) if known else ""

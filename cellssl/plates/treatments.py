"""Columns of treatments by other names, and doses with their units."""

import logging
import re

import pandas as pd

__all__ = ["name_treatments"]

logger = logging.getLogger(__name__)

_COMPOUND, _CONCENTRATION = "Metadata_Compound", "Metadata_Concentration"
_COMPOUNDS = ("treatment", "drug")
_MOLAR = {"fm": 1e-15, "pm": 1e-12, "nm": 1e-9, "um": 1e-6, "mm": 1e-3, "m": 1.0}
_UNIT = "[fpnumµμ]?m"  # of either letter mu
_DOSE_NAME = re.compile(rf"(?:conc|conc\.|concentration|dose)[ _]*[(\[]?(?:{_UNIT})?[)\]]?", re.I)
_DOSE = re.compile(
    rf"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?) *(?P<unit>{_UNIT})?", re.IGNORECASE
)


def name_treatments(table: pd.DataFrame) -> pd.DataFrame:
    """Give wells ``Metadata_Compound`` and ``Metadata_Concentration`` where other columns say them.

    Compounds are what a column `Treatment` or `Drug` says, doses one called `Dose`, `Conc` or
    `Concentration`, with or without its unit (`Dose_uM`, `Conc (nM)`); that column stays too. Texts
    such as ``500 nM`` become numbers: in their unit where all have one, else in µM.

    Parameters
    ----------
    table
        ``Metadata_*`` columns, numeric where they are so wholly.
    """
    named = {str(name).removeprefix("Metadata_").lower(): str(name) for name in table}
    compound = next((named[name] for name in _COMPOUNDS if name in named), None)
    if _COMPOUND not in table and compound is not None:
        table = table.assign(**{_COMPOUND: table[compound].astype(object)})
        logger.info("%s is taken from %s", _COMPOUND, compound)
    source = _CONCENTRATION
    if source not in table:
        doses = [name for plain, name in named.items() if _DOSE_NAME.fullmatch(plain)]
        if len(doses) != 1:  # of several nobody says which
            return table
        source = doses[0]
    numbers = _numbers(table[source], source)
    if numbers is None:
        return table
    if source != _CONCENTRATION:
        logger.info("%s is taken from %s", _CONCENTRATION, source)
    return table.assign(**{_CONCENTRATION: numbers})


def _numbers(doses: pd.Series, name: str) -> pd.Series | None:
    """Read doses as numbers; None, with a warning, where they are none."""
    if pd.api.types.is_numeric_dtype(doses):
        return doses
    texts = doses.astype(str).str.strip()
    filled = texts[texts != ""]
    found = [_DOSE.fullmatch(text) for text in filled]
    wrong = [text for text, match in zip(filled, found, strict=True) if not _is_dose(match)]
    if wrong or filled.empty:
        if wrong:
            logger.warning(
                "%s holds %r, which is no number: wells cannot be ordered by dose. Write numbers of "
                "one unit, or amounts such as 500 nM",
                name,
                wrong[0],
            )
        return None
    units = [_plain(match["unit"]) for match in found if match]
    there = sorted({unit for unit in units if unit})
    unit = there[0] if len(there) == 1 else "um"
    values = [
        float(match["number"]) * _MOLAR[own or unit] / _MOLAR[unit]
        for match, own in zip(found, units, strict=True)
        if match
    ]
    logger.info("%s is read in %sM", name, unit.removesuffix("m").replace("u", "µ"))
    rounded = [float(f"{value:.9g}") for value in values]
    return pd.Series(rounded, index=filled.index).reindex(doses.index)


def _is_dose(match: re.Match[str] | None) -> bool:
    """Say whether a text is an amount with its unit; nothing needs none."""
    return match is not None and (bool(match["unit"]) or float(match["number"]) == 0)


def _plain(unit: str | None) -> str:
    return re.sub("[µμ]", "u", (unit or "").lower())

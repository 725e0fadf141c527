"""Columns of treatments by other names, and what of them may be meant otherwise."""

import logging
import re

import pandas as pd

from cellssl.columns import (
    COMPOUND,
    CONTROL,
    GENE,
    MECHANISM,
    PLATE,
    WELL,
    find_synonym,
    plain_name,
    say_alike_names,
    texts_of,
)
from cellssl.doses import is_dose, recognise_doses, say_doubtful_doses, without_amounts
from cellssl.words import listed

_LOG = logging.getLogger(__name__)

# Other names of a column, the surest first, as `plain_name` writes them.
_COMPOUNDS = ("compoundname", "treatment", "treatmentname", "drug", "drugname")
_MECHANISMS = ("mechanismofaction", "mechanism")
_MONTH = r"(?:jan|feb|mars?|mär|mrz|apr|may|mai|jun|jul|aug|sept?|o[ck]t|nov|d[eé]c|dez)\.?"
_DATE = re.compile(rf"\d{{1,2}}[-. ]+{_MONTH}|{_MONTH}[- ]+\d\d", re.IGNORECASE)  # not 1-octanol


def tells_treatment(column: object) -> bool:
    """Say whether a column is called as compounds, mechanisms or doses are by another name.

    Examples
    --------
    >>> tells_treatment("Drug_name"), tells_treatment("Dose"), tells_treatment("Passage")
    (True, True, False)
    """
    return is_dose(column) or plain_name(column) in (*_COMPOUNDS, *_MECHANISMS)


def recognise_treatments(table: pd.DataFrame) -> pd.DataFrame:
    """Give wells ``Metadata_Compound``, ``_MOA`` and ``_Concentration`` where other columns say them.

    Compounds are what a column `Compound name`, `Treatment` or `Drug` says, unless it names one compound at several
    doses (``taxol 1 µM``); mechanisms what `Mechanism of action` says; doses what one called `Dose`, `Conc` or
    `Concentration` says, with or without its unit (`Dose_uM`, `Conc (nM)`). Those columns stay too. Where a unit is
    said, by the column's name, by texts such as ``500 nM`` or by a column `Unit` (which is then left out),
    concentrations are in µM, so that plates of several units agree, and ``Metadata_ConcentrationUnit`` says so;
    numbers without one stay as they are.

    Parameters
    ----------
    table
        ``Metadata_*`` columns, numeric where they are so wholly.
    """
    for about, names in ((COMPOUND, _COMPOUNDS), (MECHANISM, _MECHANISMS)):
        if about not in table:
            table = _take_names(table, about, find_synonym(table, names))
    return recognise_doses(table)


def say_doubts(table: pd.DataFrame) -> None:
    """Say what of compounds and mechanisms may be meant otherwise: spellings, and wells without any."""
    for about in (COMPOUND, MECHANISM):
        if about in table:
            say_alike_names(table[about], about)
            _say_empty(table, about)
    say_doubtful_doses(table)
    for about in table.columns.intersection([COMPOUND, GENE]):
        if dates := [name for name in texts_of(table[about]).unique() if _DATE.fullmatch(name)]:
            _LOG.warning(
                "%s holds %s, as a spreadsheet makes of names such as SEPT2 and MARCH1: write SEPTIN2, or have the "
                "spreadsheet take the column as text",
                about,
                listed(dates, most=4),
            )
    if COMPOUND in table and (dosed := _find_dosed_name(table[COMPOUND])) is not None:
        _LOG.warning(
            "%s names doses too, such as %r: two doses count as two compounds, which may find each other. Write "
            "names alone, and doses into a column Concentration",
            COMPOUND,
            dosed,
        )


def _take_names(table: pd.DataFrame, about: str, source: str | None) -> pd.DataFrame:
    """Take compounds or mechanisms from the column that has them; no compounds from one that has doses too."""
    if source is None:
        return table
    if about == COMPOUND and (dosed := _find_dosed_name(table[source])) is not None:
        # two doses would pass for two compounds that agree
        _LOG.warning(
            "%s names doses too, such as %r: no compound is taken from it. Give columns Compound and "
            "Concentration",
            source,
            dosed,
        )
        return table
    _LOG.info("%s is taken from %s", about, source)
    return table.assign(**{about: table[source].astype(object)})


def _find_dosed_name(column: pd.Series) -> str | None:
    """Give a name that holds a dose, where the column has one name at several; None where it has not."""
    names = pd.Series(texts_of(column).unique(), dtype=object)
    bare = without_amounts(names)
    several = names[(bare != names) & bare.str.lower().duplicated(keep=False)]
    return str(several.iloc[0]) if len(several) else None


def _say_empty(table: pd.DataFrame, column: str) -> None:
    """Say how many wells a column leaves open, as merged cells of a spreadsheet do."""
    known = [name for name in (PLATE, WELL) if name in table]
    wells = table.drop_duplicates(known) if known else table
    # As objects: the categories of a Parquet table take no other value.
    empty = texts_of(wells[column]).eq("")
    if CONTROL in wells:  # a control has no mechanism
        empty &= texts_of(wells[CONTROL]).eq("")
    count = int(empty.sum())
    if 0 < count < len(wells):
        _LOG.info(
            "%s is empty in %d of %d wells; where a spreadsheet's cells were merged, it saves the first alone: fill "
            "the others",
            column,
            count,
            len(wells),
        )

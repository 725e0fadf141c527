"""Rounds of staining in folders of their own, which are taken for plates."""

import logging
import re

import pandas as pd

from cellssl.columns import FIELD, PLATE
from cellssl.words import listed

__all__ = ["say_rounds"]

_LOG = logging.getLogger(__name__)
_ROUND = re.compile(r"(?<![a-z])((?:cycle|cyc|round|rnd|stain|staining)[ _-]*)\d+", re.IGNORECASE)


def say_rounds(files: pd.DataFrame) -> None:
    """Warn of plates that are called as rounds of staining are, and share fields: cells would count in each.

    Parameters
    ----------
    files
        A row per image, with ``Metadata_Plate``, ``Metadata_Well`` and ``Metadata_Site``.
    """
    plates: dict[str, list[str]] = {}
    for name in dict.fromkeys(files[PLATE]):
        if _ROUND.search(name):
            plates.setdefault(_ROUND.sub(r"\1", name).lower(), []).append(name)
    for alike in plates.values():
        own = files.loc[files[PLATE].isin(alike), FIELD].drop_duplicates()
        rounds = own.loc[own.duplicated(FIELD[1:], keep=False), PLATE].unique()
        if len(rounds):
            _LOG.warning(
                "plates %s have wells and sites in common: where they are rounds of staining of the same cells, these "
                "would count in each. Write a table of your own in place of the folder, a CSV with "
                "Metadata_Plate, Metadata_Well, Metadata_Site and a Path_<channel> for each stain of each round",
                listed(list(rounds), most=4),
            )

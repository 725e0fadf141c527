"""Folders that are taken for plates, and may be something else: rounds of staining, channels, wells, parts."""

import logging
import re
from pathlib import PurePosixPath

import pandas as pd

from cellssl.columns import FIELD, PLATE, WELL
from cellssl.wells import is_well, normalise_well
from cellssl.words import listed

_LOG = logging.getLogger(__name__)
# Harmony calls measurements <plate>__2024-06-12T11_30_00-Measurement 1
_ROUND = re.compile(
    r"(?<![a-z])(?:\d{4}-\d\d-\d\dT[\d_]+-)?((?:cycle|cyc|round|rnd|stain|staining|measurement)[ _-]*)\d+",
    re.IGNORECASE,
)
_STAIN = re.compile(
    r"dna|dapi|hoechst(?: ?\d{5})?|draq5|[cyrg]fp|fitc|tritc|texas ?red|mcherry|"
    r"cy[357]|alexa(?: ?fluor)?[ _-]?\d{3}|(?:f-?)?actin|phalloidin|(?:alpha-|beta-)?tubulin|er|rna|agp|mito|"
    r"phase(?: ?contrast)?|bright ?field|bf|blue|green|red|far ?red|orange",
    re.IGNORECASE,
)
_CHANNEL = re.compile(rf"(?:w|wv|wave|ch|channel)[ _-]?\d|{_STAIN.pattern}", re.IGNORECASE)


def is_stain(name: str) -> bool:
    """Say whether a name is one that stains usually have.

    Examples
    --------
    >>> is_stain("Cy5"), is_stain("taxol")
    (True, False)
    """
    return _STAIN.fullmatch(name) is not None


def say_folders(files: pd.DataFrame) -> None:
    """Warn of plates that may be none, by what they are called and which wells they have.

    Parameters
    ----------
    files
        A row per image, with ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site``, ``Channel`` and ``Path``.
    """
    _say_scattered(files)
    own = files[FIELD].drop_duplicates()
    names = [str(name) for name in own[PLATE].unique()]
    alike: dict[str, list[str]] = {}
    for name in filter(_ROUND.search, names):
        alike.setdefault(_ROUND.sub(r"\1", name).lower(), []).append(name)
    for rounds in alike.values():
        _say_shared(
            own[own[PLATE].isin(rounds)],
            "they are measurements, or rounds of staining, of the same cells, these would count in each. Index one of "
            "the folders alone, or write a table of your own in place of them, a CSV with Metadata_Plate, "
            "Metadata_Well, Metadata_Site and a Path_<channel> for each stain of each round",
        )
    _say_shared(
        own[own[PLATE].isin([*filter(_CHANNEL.fullmatch, names)])],
        "they are channels of one plate, say so with --pattern, such as "
        r"'(?P<channel>[^/]+)/.*(?P<well>[A-Z]+\d\d)_s(?P<site>\d+)'",
    )
    wells = own[[PLATE, WELL]].drop_duplicates()
    if len(wells) == len(names) > 1 and all(
        is_well(plate) and normalise_well(plate) == well
        for plate, well in wells.itertuples(index=False)
    ):
        _LOG.warning(
            "each of the plates %s has the well that it is called like: where they are wells of one plate, name it "
            "with --plate-name",
            listed(names, most=4),
        )


def _say_shared(own: pd.DataFrame, what: str) -> None:
    """Say of plates that some of them have fields in common, and what that may mean."""
    shared = own.loc[own.duplicated(FIELD[1:], keep=False), PLATE].unique().tolist()
    if shared:
        _LOG.warning(
            "plates %s have wells and sites in common: where %s", listed(shared, most=4), what
        )


def _say_scattered(files: pd.DataFrame) -> None:
    """Say which folders of one name are taken for one plate, where each channel is not in one of them alone."""
    folders = dict.fromkeys(
        (plate, path.rpartition("/")[0], channel)
        for plate, path, channel in zip(files[PLATE], files["Path"], files["Channel"], strict=True)
    )
    places: dict[str, dict[str, set[str]]] = {}
    for plate, folder, channel in folders:
        for place in (PurePosixPath(folder), *PurePosixPath(folder).parents):
            if place.name == plate:
                places.setdefault(plate, {}).setdefault(place.as_posix(), set()).add(channel)
                break
    for plate, own in places.items():
        if sum(map(len, own.values())) > len(set().union(*own.values())):
            _LOG.warning(
                "plate %s is in the folders %s, which are taken for one plate: where they are several, index each by "
                "itself with a --plate-name of its own, and join the crops with `cellssl crops join`",
                plate,
                listed([*own], most=4),
            )

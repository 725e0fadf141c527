"""Images sorted into fields, rows and columns in the order of people, and what is wrong with the others."""

import logging
from pathlib import Path
from typing import Any, cast

import pandas as pd

from cellssl.columns import FIELD, SITE, WELL
from cellssl.plates.addresses import Address, Plane
from cellssl.plates.fields import check_alike
from cellssl.plates.layouts import Listing
from cellssl.plates.planes import FieldError, PlaneReader, refusal
from cellssl.plates.plateindex import PROBLEM_COLUMNS
from cellssl.plates.stacks import choose_planes
from cellssl.plates.vocabulary import COLUMNS

_LOG = logging.getLogger(__name__)


def sort_into_fields(
    listing: Listing, z: str | int | None
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Put the channels of each field side by side; `_Complete` marks those that lack nothing."""
    files = listing.files
    image = [*FIELD, "Channel", *(["Plane"] if "Plane" in files else [])]
    twice = files.duplicated(image, keep=False)
    groups = files[twice].groupby(image)["Path"]
    problems = [
        problem_row(key[:3], "duplicate", f"{key[3]}: {', '.join(sorted(paths))}")
        for key, paths in ((tuple(map(str, key)), paths) for key, paths in groups)
    ]
    doubled = pd.MultiIndex.from_frame(files.loc[twice, FIELD])
    files, planes = choose_planes(files.drop_duplicates(image), z, projected=listing.projected)
    paths = files.pivot_table(index=FIELD, columns="Channel", values="Path", aggfunc="first")
    paths = paths.reindex(columns=list(listing.channels)).fillna("")
    lacking = paths == ""
    for key, row in lacking[lacking.any(axis=1)].iterrows():
        field = tuple(map(str, cast("tuple[str, ...]", key)))
        which = {str(name): planes.get((*field, str(name)), "") for name in row.index[row]}
        shown = (f"{name} ({number})" if number else name for name, number in which.items())
        problems.append(problem_row(field, "incomplete", f"lacks {', '.join(shown)}"))
    complete = ~lacking.any(axis=1) & ~paths.index.isin(doubled)
    paths = paths.add_prefix("Path_").assign(_Complete=complete)
    about = files.drop(columns=["Channel", "Path"]).drop_duplicates(FIELD)
    return about.merge(paths.reset_index(), on=FIELD, how="left", validate="1:1"), problems


def find_unfit(fields: pd.DataFrame, channels: tuple[str, ...]) -> list[dict[str, str]]:
    """Look into the files of the first field: where they are no grey planes, or unlike, so are the others, mostly."""
    if fields.empty:
        return []
    first = fields.iloc[0]
    planes = {name: Address.parse(first[f"Path_{name}"]).planes[0] for name in channels}
    found = {name: refusal(plane) for name, plane in planes.items()}
    told = {name: text for name, text in found.items() if text}
    for name, text in told.items():
        _LOG.warning("channel %s, of which only the first file was looked into: %s", name, text)
    key = tuple(first[name] for name in FIELD)
    if not told and (text := _unlike([*planes.values()])):
        _LOG.warning("of all fields only the first was looked into: %s", text)
        return [problem_row(key, "unlike channels", text)]
    return [problem_row(key, "no grey plane", f"{name}: {text}") for name, text in told.items()]


def _unlike(planes: list[Plane]) -> str:
    """Say how the channels of a field differ in size or kind of pixel; "" where one cannot even be read."""
    try:
        with PlaneReader() as reader:
            pixels = [reader.read(Address((plane,))) for plane in planes]
    except FieldError:
        return ""
    try:
        check_alike([str(plane) for plane in planes], pixels)
    except FieldError as error:
        return str(error)
    return ""


def problem_row(key: Any, problem: str, detail: str) -> dict[str, str]:
    """Make a row of the problems; `key` is plate, well and site."""
    return dict(zip(FIELD, key, strict=True)) | {"Problem": problem, "Detail": detail}


def order_fields(fields: pd.DataFrame, channels: tuple[str, ...], folder: Path) -> pd.DataFrame:
    """Sort rows and columns, make paths whole."""
    paths = [f"Path_{channel}" for channel in channels]
    first = [name for name in COLUMNS if name in fields]
    others = [name for name in fields if name not in {*first, *paths}]
    base = folder.resolve()
    fields = fields[[*first, *others, *paths]].copy()
    for name in paths:
        fields[name] = [str(base / path) for path in fields[name]]
    return fields.sort_values(FIELD, key=_sort_key, ignore_index=True)


def _sort_key(column: pd.Series) -> pd.Series:
    """Sort rows A, B, …, Z, AA and sites 1, 2, …, 10 as people do."""
    if column.name == WELL:
        return column.str.extract(r"(\D+)")[0].str.len().astype(str) + column
    if column.name == SITE:
        return column.str.zfill(9)
    return column


def problem_table(problems: list[dict[str, str]]) -> pd.DataFrame:
    """Make the table of all problems, in order."""
    table = pd.DataFrame(problems, columns=PROBLEM_COLUMNS, dtype=object).fillna("")
    return table.sort_values(PROBLEM_COLUMNS, ignore_index=True)

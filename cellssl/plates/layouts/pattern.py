"""File names described by the user: a regular expression with named groups."""

import re

import pandas as pd

from cellssl.errors import PlateError
from cellssl.plates.layouts.layout import Images, Layout, Listing, layout
from cellssl.plates.tables import as_site
from cellssl.plates.wells import normalise_well, well_from

__all__ = ["Pattern"]

_GROUPS = {"plate", "well", "row", "column", "site", "channel"}
_MISMATCH = "its name does not match the pattern"
_EXAMPLE = r"(?P<plate>[^/]+)/(?P<well>[A-H]\d\d)_s(?P<site>\d+)_w(?P<channel>\d)\.tif"


@layout
class Pattern(Layout):
    """Plate, well (or row and column), site and channel by the named groups of `pattern`.

    It is searched for in each path relative to the folder. `channel` is required, and `well` or
    `row` and `column`; a plate without a group takes the folder's name, a site the name `1`. Any
    other named group becomes a ``Metadata_<group>``.
    """

    name = "pattern"

    def recognise(self, images: Images) -> str | None:
        """Recognise files by nothing but a pattern that was given."""
        return "a pattern was given" if images.pattern else None

    def find(self, images: Images) -> Listing:
        """Match every file; those that do not match are problems, unless none does."""
        expression = _compile(images.pattern)
        default = images.plate or images.folder.resolve().name
        rows, problems = [], []
        for path in images.paths:
            found = expression.search(path)
            try:
                if found is None:
                    raise PlateError(_MISMATCH)
                rows.append(_row(found.groupdict(), default) | {"Path": path})
            except PlateError as error:
                problems.append({"Problem": "unmatched", "Detail": f"{path}: {error}"})
        if not rows:
            raise PlateError(_nothing(images, problems))
        files = pd.DataFrame(rows).fillna("")
        channels = tuple(sorted(files["Channel"].unique(), key=_natural))
        return Listing(files, channels, problems, metadata=images.metadata)


def _compile(pattern: str | None) -> re.Pattern[str]:
    if not pattern:
        raise PlateError(f"layout 'pattern' needs --pattern, e.g. --pattern '{_EXAMPLE}'.")
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise PlateError(
            f"--pattern '{pattern}' is not a regular expression: {error}. "
            f"A valid one: '{_EXAMPLE}'."
        ) from error
    groups = set(expression.groupindex)
    lacking = [] if "channel" in groups else ["channel"]
    if "well" not in groups and not {"row", "column"} <= groups:
        lacking.append("well (or row and column)")
    if lacking:
        has = ", ".join(sorted(groups)) or "none"
        raise PlateError(
            f"--pattern '{pattern}' lacks the named group {' and '.join(lacking)}; it has {has}. "
            f"Write groups as (?P<channel>...), e.g. '{_EXAMPLE}'."
        )
    return expression


def _row(groups: dict[str, str | None], default: str) -> dict[str, str]:
    """Read one file's groups; a group that took no part in the match is None."""
    well = groups.get("well")
    if well is None:
        well = well_from(groups.get("row") or "", groups.get("column") or "")
    channel = groups["channel"]
    if not channel:
        raise PlateError("the group 'channel' is empty")
    row = {
        "Metadata_Plate": groups.get("plate") or default,
        "Metadata_Well": normalise_well(well),
        "Metadata_Site": as_site(groups.get("site") or "1"),
        "Channel": channel,
    }
    others = {
        f"Metadata_{name[0].upper()}{name[1:]}": value or ""
        for name, value in groups.items()
        if name not in _GROUPS
    }
    return row | others


def _nothing(images: Images, problems: list[dict[str, str]]) -> str:
    examples = "\n".join(
        f"  {problem['Detail'].removesuffix(f': {_MISMATCH}')}" for problem in problems[:3]
    )
    return (
        f"--pattern '{images.pattern}' fits none of the {len(images.paths)} TIFF files in "
        f"{images.folder}, such as\n{examples}\nIt is searched for in the path below that folder."
    )


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Sort 2 before 10."""
    return [
        (0, int(part)) if part.isdecimal() else (1, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]

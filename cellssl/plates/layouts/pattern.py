"""File names described by the user: a regular expression with named groups."""

import re
from typing import Any

import pandas as pd

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Layout, Listing
from cellssl.plates.layouts.naming import OWN_TABLE, channels_of, unmatched
from cellssl.plates.tables import as_site
from cellssl.wells import PLATES, normalise_well, well_from

CLOCK = re.compile(r"(?:\d+[ymdhs]_?)+")  # a time such as 00d04h30m

# Groups of wells that are counted along the rows: how many the plate has, and how many a row.
COUNTED = {f"well{rows * columns}": (rows * columns, columns) for rows, columns in PLATES}

_GROUPS = {"plate", "well", "row", "column", "site", "channel", "z", "time", *COUNTED}
_WELLS = {"well", "row", "column"}
_CUT_ROW = re.compile(r"(?<![A-Za-z])[Aa]$")  # of rows AA to AF
_SHORT_ROW = re.compile(r"[A-Fa-f](?![A-Za-z])")
_SHORT_COLUMN = re.compile(r"(?<!\d)\d$")
_MISMATCH = "its name does not match the pattern"
_EXAMPLE = r"(?P<plate>[^/]+)/(?P<well>[A-Z]+\d+)_s(?P<site>\d+)_w(?P<channel>\d)\.tif"


class CountedFromZeroError(PlateError):
    """A row or a column is 0, so that the wells of all other images may be read wrong, too."""


class Pattern(Layout):
    """Plate, well (or row and column), site and channel by the named groups of `pattern`.

    It is searched for in each path relative to the folder. `channel` is required, and `well` or
    `row` and `column`, or `well96` (`well384`, …) for wells that are counted from 1 along the rows of such a
    plate; a plate without a group takes the folder's name, a site the name `1`. `z` and
    `time` are numbers of planes and time points (`00d04h30m`, too). Any other named group becomes a
    ``Metadata_<group>``.
    """

    name = "pattern"
    takes_pattern = True

    def find(self, images: Images) -> Listing:
        """Match every file; those that do not match are problems, unless none does."""
        expression = compile_pattern(images.pattern, needed=("channel",))
        rows, problems = [], []
        for path in images.paths:
            found = expression.search(path)
            try:
                if found is None:
                    raise PlateError(_MISMATCH)
                rows.append(row_of(found, images.name) | {"Path": path})
            except CountedFromZeroError:
                raise
            except PlateError as error:
                problems.append(unmatched(path, str(error)))
        if not rows:
            raise PlateError(_nothing(images, problems))
        files = pd.DataFrame(rows).fillna("")
        return Listing(files, channels_of(files["Channel"]), problems)


def compile_pattern(pattern: str | None, *, needed: tuple[str, ...] = ()) -> re.Pattern[str]:
    """Compile the user's expression; it must name a well and the groups that are `needed`.

    Raises
    ------
    PlateError
        When it is missing, no regular expression, or lacks a group.
    """
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
    lacking = [name for name in needed if name not in groups]
    if groups.isdisjoint({"well", *COUNTED}) and not {"row", "column"} <= groups:
        lacking.append("well (or row and column)")
    if lacking:
        has = ", ".join(sorted(groups)) or "none"
        raise PlateError(
            f"--pattern '{pattern}' lacks the named group {' and '.join(lacking)}; it has {has}. "
            f"Write groups as (?P<channel>...), e.g. '{_EXAMPLE}'."
        )
    return expression


def refuse_cut_wells(found: re.Match[str]) -> None:
    """Make sure that the groups of a well have all of it: `A01` may be cut from `AA01`, `A1` from `A12`.

    Where another group begins or ends, the user has parted the two.

    Raises
    ------
    PlateError
        When another letter of the row stands before a group, or a second digit of the column after.
    """
    text = found.string
    begins, ends = zip(*map(found.span, found.re.groupindex), strict=True)
    for group in _WELLS & found.re.groupindex.keys():
        start, end = first, last = found.span(group)
        well = text[start:end]
        if _CUT_ROW.search(text[:start]) and _SHORT_ROW.match(well) and start not in ends:
            first -= 1
        follows = text[end : end + 1].isdecimal() and end not in begins
        if group != "row" and _SHORT_COLUMN.search(well) and follows:
            last += 1
        if (first, last) != (start, end):
            raise PlateError(
                f"the pattern takes {well!r} for the {group}, which is cut out of "
                f"{text[first:last]!r}: let the group {group} match the whole, e.g. [A-Z]+\\d+"
            )


def place(groups: dict[str, str | None], default: str) -> dict[str, str]:
    """Read plate, well, site and any further metadata; a group that took no part is None.

    Raises
    ------
    CountedFromZeroError
        When row or column is 0.
    """
    well = groups.get("well") or _counted_well(groups)
    if well is None:
        parts = groups.get("row") or "", groups.get("column") or ""
        if any(part.isdecimal() and int(part) == 0 for part in parts):
            raise CountedFromZeroError(
                f"{_from_zero(f'row {parts[0]!r} and column {parts[1]!r}')}; where that is no well, let the pattern "
                "not match it."
            )
        well = well_from(*parts)
    row = {
        PLATE: groups.get("plate") or default,
        WELL: normalise_well(well),
        SITE: as_site(groups.get("site") or "1"),
    }
    others = {
        f"Metadata_{name[0].upper()}{name[1:]}": value or ""
        for name, value in groups.items()
        if name not in _GROUPS
    }
    return row | others


def _from_zero(read: str) -> str:
    return (
        f"the pattern reads {read}: where names count from 0, every other well would be read as one beside it. Write "
        f"{OWN_TABLE}"
    )


def _counted_well(groups: dict[str, str | None]) -> str | None:
    """Read the well of a group such as `well96`; None where there is none."""
    for group, (wells, columns) in COUNTED.items():
        if (text := groups.get(group)) is not None:
            number = _number(text, group)
            if not number:
                raise CountedFromZeroError(f"{_from_zero(f'well {text!r} of {wells}')}.")
            if number > wells:
                raise PlateError(
                    f"well {text} is none of {wells}: take the group of a larger plate"
                )
            return well_from((number - 1) // columns + 1, (number - 1) % columns + 1)
    return None


def row_of(found: re.Match[str], default: str) -> dict[str, Any]:
    """Read an image's place, channel, plane and time; see `place`."""
    refuse_cut_wells(found)
    groups = found.groupdict()
    if not groups["channel"]:
        raise PlateError("the group 'channel' is empty")
    row: dict[str, Any] = place(groups, default) | {"Channel": groups["channel"]}
    for group, column in (("z", "Plane"), ("time", "Time")):
        if group in groups:
            row[column] = _number(groups[group] or "1", group)
    return row


def _number(text: str, group: str) -> int:
    if group == "time" and CLOCK.fullmatch(text):  # of two digits but for the first
        return int("".join(f"{int(part):02}" for part in re.findall(r"\d+", text)))
    if not text.isdecimal():
        raise PlateError(f"the group {group!r} is {text!r}, wanted a number")
    return int(text)


def _nothing(images: Images, problems: list[dict[str, str]]) -> str:
    if not images.paths:
        return images.nothing
    examples = "\n".join(
        f"  {problem['Detail'].removesuffix(f': {_MISMATCH}')}" for problem in problems[:3]
    )
    return (
        f"--pattern '{images.pattern}' fits none of the {len(images.paths)} images in "
        f"{images.folder}, such as\n{examples}\nIt is searched for in the path below that folder; "
        "without --pattern one that fits is proposed, where there is one. Images whose names say no well, as A01 or by "
        f"row and column, want {OWN_TABLE}.{images.left_out}"
    )

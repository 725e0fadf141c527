"""Images told apart by their names: what layouts of microscopes have in common."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from cellssl.columns import FIELD
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Grade, Listing
from cellssl.words import listed, natural_key

_LOG = logging.getLogger(__name__)

OWN_TABLE = (
    "a table of your own in place of the folder, a CSV with Metadata_Plate, Metadata_Well, Metadata_Site and a "
    "Path_<channel> for each channel"
)

Row = dict[str, Any]


def evidence(images: Images, expression: re.Pattern[str], kind: str) -> Evidence | None:
    """Say how many of the images have names of this kind; at least half must."""
    named = len(images.named(expression))
    if not named or 2 * named < len(images.paths):
        return None
    reason = f"{named:,} of {len(images.paths):,} images are named like {kind}"
    return Evidence(Grade.NAMES, reason, named / len(images.paths))


def read_names(
    images: Images,
    expression: re.Pattern[str],
    row: Callable[[re.Match[str], PurePosixPath], Row | None],
    *,
    kind: str,
) -> Listing:
    """Read every image's name; those of another form are problems, unless all are.

    Parameters
    ----------
    images
        The files.
    expression
        What a whole name looks like.
    row
        Makes a row of `Listing.files` of a match and the path; None leaves the file out. Its
        PlateError (a well that is none) makes the file a problem.
    kind
        Whose names these are, for messages.

    Returns
    -------
    Listing
        Its channels in the order of people; the user's table is still to be joined.

    Raises
    ------
    PlateError
        When no name is of this form.
    """
    rows, problems = [], []
    for path in images.paths:
        pure = PurePosixPath(path)
        found = expression.fullmatch(pure.name)
        try:
            if found is None:
                raise PlateError(f"not named like {kind}")
            made = row(found, pure)
        except PlateError as error:
            problems.append(unmatched(path, str(error)))
            continue
        if made is not None:
            rows.append(made | {"Path": path})
    if not rows:
        raise _none_named(images, kind)
    files = pd.DataFrame(rows)
    return Listing(files, channels_of(files["Channel"]), problems)


def unmatched(path: str, why: str) -> dict[str, str]:
    """Make the problem of a file that is no image of the plate."""
    return {"Problem": "unmatched", "Detail": f"{path}: {why}"}


def present(
    table: pd.DataFrame, images: Images, *, source: object, document: str
) -> tuple[pd.DataFrame, list[dict[str, str]], int]:
    """Hold the images that a microscope's document lists against those that are there.

    Parameters
    ----------
    table
        A row per listed image, with plate, well, site and ``Path``.
    images
        What is there.
    source, document
        The document's name in errors, and in problems.

    Returns
    -------
    tuple
        The rows whose image is there; the images that are not listed, as problems; the number of
        fields of which no image is there.

    Raises
    ------
    PlateError
        When none is there.
    """
    files = table[table["Path"].isin(set(images.paths))].reset_index(drop=True)
    if files.empty:
        raise PlateError(
            f"none of the {len(table):,} images that {source} lists is in {images.folder}: wanted "
            f"{table['Path'].iloc[0]}."
        )
    unlisted = sorted(set(images.paths) - set(table["Path"]))
    problems = [unmatched(path, f"not listed in {document}") for path in unlisted]
    absent = len(table[FIELD].drop_duplicates()) - len(files[FIELD].drop_duplicates())
    return files, problems, absent


def _none_named(images: Images, kind: str) -> PlateError:
    """Say that no file is named as it should be."""
    if not images.paths:
        return PlateError(images.nothing)
    shown = "\n".join(f"  {path}" for path in images.paths[:3])
    return PlateError(
        f"none of the {len(images.paths)} images in {images.folder} is named like {kind}, such "
        f"as\n{shown}\nTry --layout auto, or describe their names with --pattern instead.{images.left_out}"
    )


def channels_of(values: Iterable[str]) -> tuple[str, ...]:
    """Order the names of channels as people do: 2 before 10."""
    return tuple(sorted(set(values), key=natural_key))


def channel_name(name: str) -> str:
    """Write a channel's name without `/`, which would part the columns and keys that are called after it."""
    return name.replace("/", "-")


def with_channel_names(listing: Listing, documents: Mapping[str, Mapping[str, str]]) -> Listing:
    """Call numbered channels as the microscope's documents do, where these agree.

    Parameters
    ----------
    listing
        Its channels are numbers, which stay as other names of them.
    documents
        Of each document (by its path) the names by number. Where they differ, leave a channel without
        a name or give two the same, channels keep their numbers, and a note says why.
    """
    named = {
        path: tuple(channel_name(names.get(number, "")) for number in listing.channels)
        for path, names in documents.items()
    }
    if not named:
        return listing
    (first, names), *others = named.items()
    other = next((path for path, its in others if its != names), None)
    if other is not None:
        why = f"{first} and {other} name them differently"
        _say_unlike_stains(named)
    elif not all(names):
        why = f"{first} does not name all of them"
    elif len(set(names)) < len(names) or set(names) & set(listing.channels):
        why = f"{first} gives names that do not tell them apart ({', '.join(names)})"
    else:
        aliases = dict(zip(listing.channels, names, strict=True))
        files = listing.files.assign(Channel=listing.files["Channel"].map(aliases))
        return replace(listing, files=files, channels=names, aliases=aliases)
    return replace(listing, notes=(*listing.notes, f"channels keep their numbers: {why}"))


def _say_unlike_stains(named: Mapping[str, Sequence[str]]) -> None:
    """Warn where two documents give one number two names; a number that one of them leaves out is none."""
    (first, names), *others = named.items()
    for other, its in others:
        if any(a and b and a != b for a, b in zip(names, its, strict=True)):
            _LOG.warning(
                "%s calls the channels %s, and %s %s: one number may be another stain on each plate. Index each folder "
                "by itself, give its channels the same names with --channel OLD=NEW, and join the crops with `cellssl "
                "crops join`",
                first,
                listed(names),
                other,
                listed(its),
            )
            return


def distinct_names(names: Sequence[str], count: int) -> list[str]:
    """Name so many channels by what a file calls the first: by their number where it does not, with it where two agree.

    Examples
    --------
    >>> distinct_names(["GFP", "", "GFP", "a/b"], 5)
    ['GFP_1', '2', 'GFP_3', 'a-b', '5']
    """
    names = [*names, *[""] * (count - len(names))]
    given = [channel_name(name.strip()) or str(n) for n, name in enumerate(names, start=1)]
    return [
        name if given.count(name) == 1 else f"{name}_{n}" for n, name in enumerate(given, start=1)
    ]

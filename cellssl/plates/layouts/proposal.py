r"""A pattern proposed for names that no layout knows: by what their parts are called, and how these vary.

Of numbers without a word, those that tell images apart are the site, then the time, then the plane; a word that varies
is the channel. What is proposed has been tried on all names.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from random import Random
from typing import Any

import pandas as pd

from cellssl.columns import bare_name
from cellssl.errors import PlateError
from cellssl.plates.folders import is_stain
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.nameparts import Part, parts_of
from cellssl.plates.layouts.pattern import COUNTED, CountedFromZeroError, row_of
from cellssl.wells import ROWS
from cellssl.words import counted

# What the parts of a place are called, the surest first.
_WORDS = {
    "site": ("site", "field", "position", "point", "fov", "fld", "pos", "scene", "po", "s", "f", "p"),
    "channel": ("channel", "wavelength", "wave", "chan", "dye", "stain", "filter", "ch", "co", "wv", "w", "c", "d"),
    "z": ("zstep", "plane", "slice", "sl", "z"),
    "time": ("timepoint", "time", "tp", "lo", "t"),
}  # fmt: skip
_LETTERS = {"r", *(word for words in _WORDS.values() for word in words if len(word) == 1)}
_ANYWHERE = {*_WORDS["z"], *_WORDS["time"]}  # other letters before a well may be a plate's
_ROWS, _COLUMNS, _WELLS = ("row", "r"), ("column", "col", "c"), ("well", "w")
# Of numbers without words: Columbus, Micro-Manager.
_KNOWN = (
    r"(?P<row>\d{3})(?P<column>\d{3})-(?P<site>\d+)-(?P<z>\d{3})(?P<time>\d{3})(?P<channel>\d{3})\.",
    r"(?P<well>[A-Z]+\d+)-Site_(?P<site>\d+)/img_(?P<time>\d{9})_(?P<channel>[^/]+)_(?P<z>\d{3})\.",
)
_ENDING = r".*\.(?P<channel>\w+)$"  # of images of one channel, whose names need not say it
_WAVELENGTH = re.compile(r"[3-7]\d\d")
_MANY = 4_000  # names, which are enough to see how all are made
_FEW = 9  # channels that numbers without a word may be


def propose(images: Images) -> tuple[str, str] | None:
    """Give a pattern that reads the names, and say what it reads of one; None where there is none.

    It reads more than half of them, each as another image, and most fields have most channels.

    Raises
    ------
    CountedFromZeroError
        When the only one reads a well 0; says which pattern that is.
    """
    from_zero = None
    some = Random(0).sample(images.paths, min(_MANY, len(images.paths)))  # noqa: S311 - no secret
    for pattern in dict.fromkeys(chain(_KNOWN, _patterns(some))):
        expression = re.compile(pattern)
        found = [match for path in images.paths if (match := expression.search(path))]
        try:
            rows = [row_of(match, "") for match in found]
        except CountedFromZeroError as error:
            from_zero = f"--pattern '{pattern}' may read them, but {error}"
        except PlateError:
            continue
        else:
            if 2 * len(rows) > len(images.paths) and _fits(pd.DataFrame(rows)):
                told = f"Of {found[-1].string} it reads {_describe_row(rows[-1], pattern)}."
                if len(rows) < len(images.paths):
                    told += f" It reads {len(rows):,} of {counted(len(images.paths), 'name')}."
                return pattern, told
    if from_zero:
        raise CountedFromZeroError(from_zero)
    return None


def _fits(files: pd.DataFrame) -> bool:
    """Say whether each image is another, and no channel lacks most fields."""
    fields = files.drop(columns="Channel").drop_duplicates()
    full = len(fields) * files["Channel"].nunique()
    return not files.duplicated().any() and 2 * len(files) > full


def _describe_row(row: dict[str, Any], pattern: str) -> str:
    read = ", ".join(
        f"{bare_name(name).lower()} {value}" for name, value in row.items() if value != ""
    )
    if wells := re.search(r"P<well(\d+)>", pattern):
        read += f" (wells are counted along the rows of {wells[1]}: change that number where the plate has others)"
    if pattern.endswith(_ENDING):
        ending = row["Channel"]
        read += f" (the names say no channel: --channel {ending}=DNA calls it DNA)"
    return read


def _patterns(paths: Sequence[str]) -> Iterator[str]:
    """Take names apart at ever more marks, then those of folders, too."""
    for whole_folders in (True, False):
        for marks in ("_", "_-", "_ .-"):
            parts = parts_of(paths, marks, whole_folders=whole_folders)
            if _name_well(parts):
                _name_others(parts)
                if not _is_sure(parts):
                    continue
                named = [number for number, part in enumerate(parts) if part.group]
                last = None if " " in marks else named[-1] + 1  # a word may hold spaces
                told = "".join(map(str, parts[named[0] : last]))
                channel = "" if "channel" in {part.group for part in parts} else _ENDING
                yield ("" if named[0] else "^") + told + channel


def _name_well(parts: list[Part]) -> bool:
    """Find what says the well: itself, its row and column, or a number that counts wells from 1."""
    best = max(filter(_is_likely, parts), key=_likeness, default=None)
    for part in parts:
        rows = _rows(part) if part is not best and part.kind == "well" else set()
        if _are_words(rows):  # P1 is a plate
            (front,) = rows
            part.before, part.form, part.kind = part.before + front, r"\d+", "number"
            part.texts, part.word = [text[1:] for text in part.texts], front.lower()
    if best:
        best.group = "well"
        return True
    row, column, number_of_well = (_called(parts, words) for words in (_ROWS, _COLUMNS, _WELLS))
    for letter, number in pairwise(parts):
        if letter.varies and number.kind == "number" and {*letter.texts} <= {*ROWS}:
            row, column, letter.form = letter, number, "[A-Z]+"
    if row and column:
        row.group, column.group = "row", "column"
    elif number_of_well:
        numbers = [int(number) for number in number_of_well.texts]
        fitting = [name for name, (wells, _) in COUNTED.items() if wells >= max(96, *numbers)]
        number_of_well.group = fitting[0] if fitting else ""
    return any(part.group for part in parts)


def _rows(part: Part) -> set[str]:
    return {value.rstrip("0123456789") for value in part.texts}


def _are_words(rows: set[str]) -> bool:
    """Say whether one row is called as sites, channels, planes or times are, or plates: P1."""
    return len(rows) == 1 and {row.lower() for row in rows} <= _LETTERS


def _is_likely(part: Part) -> bool:
    """Say whether a part looks like wells, and not like s01, C001 or P1."""
    if part.kind != "well" or not _are_words(_rows(part)):
        return part.kind == "well"
    return part.varies > 0 and all(re.fullmatch(r"[CDF]\d\d?", text) for text in part.texts)


def _is_sure(parts: list[Part]) -> bool:
    """Say whether wells are called so or lie in several rows; of others, such as C1 or r1_c1, a stain tells."""
    wells = [part for part in parts if part.group == "well"]
    return any(not _are_words(_rows(part)) for part in wells) or any(
        part.group == "channel" and (part.word or any(map(is_stain, part.texts))) for part in parts
    )


def _likeness(part: Part) -> tuple[bool, int, bool, int]:
    """Rank what looks like wells: by its word, its rows, whether it is no P1 or S01, and its number."""
    rows = _rows(part)
    return part.word.startswith("well"), len(rows), not _are_words(rows), part.varies


def _name_others(parts: list[Part]) -> None:
    """Name what tells the images of a well apart."""
    start = next(number for number, part in enumerate(parts) if part.group)
    behind = parts[start:]
    for role, words in _WORDS.items():
        near = [part for part in parts if part in behind or part.word in _ANYWHERE]
        long = tuple(word for word in words if len(word) > 1)
        if part := _called(parts, long) or _called(near, words):
            part.group = role
    if not any(part.group == "channel" for part in parts):
        _name_channel(parts, behind)
    _name_numbers(parts, behind)
    front = [part for part in parts if part not in behind or part.word == "plate"]
    lone = next((part for part in front if not part.group and _tells(part, parts)), None)
    if lone:
        lone.group = "plate"
        word = re.search("[A-Za-z]*$", lone.before)
        if lone.kind == "number" and word:
            lone.before, lone.form = lone.before[: word.start()], word[0] + lone.form


def _name_numbers(parts: list[Part], behind: list[Part]) -> None:
    """Take numbers that still tell images apart for what does not vary yet; with an unknown word, for the site."""
    named = {part.group: part for part in parts}
    roles = [role for role in ("site", "time", "z") if role not in named or not named[role].varies]
    for part in sorted(behind, key=lambda part: part.word != ""):
        if part.group or part.kind not in ("clock", "number"):
            continue
        role = next(iter(roles), "")
        if part.kind == "clock":
            role = "time"
        elif part.word:
            role = "site"
        if role in roles and _tells(part, parts):
            if role in named:
                named[role].group = ""
            part.group = role
            roles.remove(role)


def _name_channel(parts: list[Part], behind: list[Part]) -> None:
    """Take the word that varies within wells for the channel, or else wavelengths or the last number, or C1 in front.

    Folders that are called like no stain may be plates.
    """
    site = any(part.group == "site" for part in parts)
    words = [
        part
        for part in parts
        if part.kind == "word" and not part.group
        if _are_stains(part)
        or (_tells(part, parts) and (not part.folder or any(map(is_stain, part.texts))))
    ]
    numbers = [
        part
        for part in behind
        if part.kind == "number" and not (part.word or part.group) and part.varies
    ]
    if words:
        channel = min(words, key=lambda part: (not _are_stains(part), part.folder, part.varies))
        channel.form = channel.form if channel.varies else r"[^/._]+"
        channel.group = "channel"
    elif len(numbers) > (0 if site else 1) and numbers[-1].varies < _FEW:
        waves = (part for part in numbers if all(map(_WAVELENGTH.fullmatch, part.texts)))
        next(waves, numbers[-1]).group = "channel"
    elif part := _called(parts, ("c", "w")):
        part.group = "channel"


def _are_stains(part: Part) -> bool:
    return all(map(is_stain, part.texts))


def _tells(part: Part, parts: list[Part]) -> bool:
    """Say whether a part tells images apart that those with a name do not."""
    named = [one.texts for one in parts if one.group]
    return len({*zip(*named, part.texts, strict=True)}) > len({*zip(*named, strict=True)})


def _called(parts: list[Part], words: tuple[str, ...]) -> Part | None:
    """Find the number that has the first of some words before it."""
    found = {
        part.word: part for part in reversed(parts) if part.kind == "number" and not part.group
    }
    return next((found[word] for word in words if word in found), None)

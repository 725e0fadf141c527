"""Names taken apart at their marks into columns, and these into wells, numbers with their words, and words."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cellssl.plates.folders import is_stain
from cellssl.plates.layouts.pattern import CLOCK
from cellssl.wells import is_well

_NUMBERED = re.compile(r"([A-Za-z]*[ _-]?)(\d++)")
_NUMBERS = re.compile(rf"(?:{_NUMBERED.pattern})+")
_WELL = re.compile(r"((?:well)?[ _-]?)([A-Z]{1,2}\d{1,3})(?![ _\d-])", re.IGNORECASE)
_FRONT = re.compile(r"channel[ _-]?|.*\[", re.IGNORECASE)  # Stitched[DAPI 377,447]


@dataclass(eq=False)
class Part:
    """A piece that all names have: what stands `before` it, its `form`, and what it is in each."""

    before: str
    form: str
    texts: list[str]
    kind: str  # well, number, clock or word
    word: str = ""  # what a number is called, in small letters
    folder: bool = False
    group: str = ""

    @property
    def varies(self) -> int:
        """How many different texts it has beyond the first."""
        return len(set(self.texts)) - 1

    def __str__(self) -> str:
        form = f"(?P<{self.group}>{self.form})" if self.group else self.form
        return _literal(self.before) + form


def parts_of(paths: Sequence[str], marks: str, *, whole_folders: bool) -> list[Part]:
    """Take apart, at the `marks` and maybe folder by folder, those names that have their marks as most have them."""
    split = re.compile(rf"([/{marks}]+)(?!\d\dh\d\dm)")
    names = []
    for path in paths:
        above, slash, name = path.rpartition("/")
        folders = [*re.split("(/)", above), slash] if slash and whole_folders else []
        stem = (name if whole_folders else path).rpartition(".")[0]
        names.append([*folders, *split.split(stem)])
    most = Counter(tuple(name[1::2]) for name in names).most_common(1)[0][0]
    columns = zip(*(name[::2] for name in names if tuple(name[1::2]) == most), strict=True)
    parts: list[Part] = []
    for number, values in enumerate(columns):
        folder = "/" in "".join(most[number:])
        other = "/" if folder and whole_folders else "/." + re.sub("[ .]", "", marks)
        parts += _taken_apart([*values], ("", *most)[number], other, folder=folder)
    for last, part in pairwise(parts):
        if part.kind == "number" and part.before in most and not last.varies:
            part.word = last.texts[0].lower()
    return parts


def _taken_apart(values: list[str], before: str, other: str, *, folder: bool) -> Iterator[Part]:
    """Make parts of a column; words are of any signs but the `other`."""
    wells = [found for value in values if (found := _WELL.match(value)) and is_well(found[2])]
    rests = [well.string[well.end() :] for well in wells]
    bare = not any(rests) or _numbers(rests)  # U2OS is no well
    if len(wells) == len(values) and len({well[1] for well in wells}) == 1 and bare:
        names = [well[2] for well in wells]
        letters = "[A-Z]" if "".join(names).isupper() else "[A-Za-z]"
        front = wells[0][1]
        yield Part(before + front, rf"{letters}+\d+", names, "well", front.lower(), folder)
        before, values = "", rests
    if not any(values):
        pass
    elif (numbers := _numbers(values)) and not all(map(is_stain, values)):
        for pieces in zip(*numbers, strict=True):
            word, own = pieces[0][0], [number for _, number in pieces]
            yield Part(before + word, r"\d+", own, "number", word.strip("_ -").lower(), folder)
            before = ""
    elif all(map(CLOCK.fullmatch, values)):
        yield Part(before, CLOCK.pattern, values, "clock", folder=folder)
    elif len(set(values)) == 1:
        yield Part(before, _literal(values[0]), values, "word", folder=folder)
    else:
        found = _FRONT.match(values[0])
        if found and all(value.startswith(found[0]) for value in values):
            before += found[0]
            values = [value.removeprefix(found[0]).removesuffix("]") for value in values]
            other = (r"\]" if found[0].endswith("[") else "") + other
        yield Part(before, f"[^{other}]+", values, "word", folder=folder)


def _numbers(values: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Take values apart into words and numbers; none where one has others, or other words."""
    numbers = [_NUMBERED.findall(value) for value in values if _NUMBERS.fullmatch(value)]
    alike = len({tuple(word for word, _ in own) for own in numbers}) == 1
    return numbers if alike and len(numbers) == len(values) else []


def _literal(text: str) -> str:
    """Write a text so that it stands for itself, also between a shell's quotes."""
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text).replace("'", ".")

"""Plates drawn in a terminal: how many fields each well has, gaps and faults, with or without colour."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

from rich.text import Text

from cellssl.columns import PLATE, WELL
from cellssl.plates.plateindex import PlateIndex
from cellssl.wells import ROWS, plate_format, well_from, well_place
from cellssl.words import counted

_FAULTS = ("incomplete", "duplicate")
_STYLES = {"!": "bold red", "<": "yellow", "·": "dim", "": "green"}
_LEGEND = "! has incomplete or duplicate fields   < has fewer fields than usual   · no images"


def plate_maps(index: PlateIndex, *, width: int = 80, most: int = 3) -> Text:
    """Draw the plates of an index.

    Parameters
    ----------
    index
        The plates.
    width
        Columns of the terminal. Where the wells' numbers of fields do not fit side by side, each
        well is one character, so that 1536 wells need 52 columns.
    most
        How many plates are drawn; the others get one line together.
    """
    plates = _plates(index)
    size = plate_format(well for plate in plates for well in plate.wells)
    text = Text()
    for plate in plates[:most]:
        text.append_text(_draw(plate, size, width))
    if plates:
        text.append(f"{_LEGEND}\n", "dim")
    if len(plates) > most:
        text.append(_others(plates[most:]))
    text.rstrip()
    return text


@dataclass(frozen=True)
class _Plate:
    """What is drawn of a plate: by (row, column) from 0, complete fields and whether there are faults."""

    name: str
    fields: dict[tuple[int, int], int]
    faulty: frozenset[tuple[int, int]]

    @property
    def wells(self) -> list[tuple[int, int]]:
        return sorted({*self.fields, *self.faulty})

    @cached_property
    def usual(self) -> int:
        """How many fields most wells have; of two such numbers the larger."""
        counts = Counter(self.fields.values())
        return max(counts, key=lambda fields: (counts[fields], fields), default=0)

    def mark(self, well: tuple[int, int]) -> str:
        if well in self.faulty:
            return "!"
        count = self.fields.get(well, 0)
        if not count:
            return "·"
        return "<" if count < self.usual else ""


def _plates(index: PlateIndex) -> list[_Plate]:
    fields: defaultdict[str, dict[tuple[int, int], int]] = defaultdict(dict)
    faulty: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
    counts = index.fields.groupby([PLATE, WELL]).size().reset_index()
    for plate, well, count in counts.itertuples(index=False):
        fields[str(plate)][well_place(str(well))] = count
    problems = index.problems[index.problems["Problem"].isin(_FAULTS)]
    for plate, well in problems[[PLATE, WELL]].itertuples(index=False):
        faulty[str(plate)].add(well_place(well))
    names = sorted({*fields, *faulty})
    return [_Plate(name, fields[name], frozenset(faulty[name])) for name in names]


def _draw(plate: _Plate, size: tuple[int, int], width: int) -> Text:
    rows, columns = size
    digits = max(2, len(str(max(plate.fields.values(), default=0))))
    numbers = 3 + columns * (digits + 1) <= width
    text = Text(f"{_title(plate, size)}\n", "bold")
    text.append(_header(columns, digits if numbers else 0) + "\n", "dim")
    for row in range(rows):
        text.append(f"{ROWS[row]:>2} ", "dim")
        for column in range(columns):
            mark = plate.mark((row, column))
            count = plate.fields.get((row, column), 0)
            cell = mark or "#"
            if numbers:
                cell = f"{'·':>{digits}} " if mark == "·" else f"{count:>{digits}}{mark:1}"
            text.append(cell, _STYLES[mark])
        text.append("\n")
    if not numbers:
        text.append(f"# {counted(plate.usual, 'field')}   ", "dim")
    return text


def _title(plate: _Plate, size: tuple[int, int]) -> str:
    rows, columns = size
    # Few wells do not tell a small plate from a corner of a large one: it is said which are meant.
    which = f" (A01 to {well_from(rows, columns)})" if rows < 8 else ""
    marks = [plate.mark(well) for well in plate.wells]
    parts = [
        f"{len(marks):,} of {rows * columns:,} wells{which}",
        counted(sum(plate.fields.values()), "field"),
        f"usually {plate.usual} a well",
        *(
            f"{counted(marks.count(mark), 'well')} {what}"
            for mark, what in (("!", "with faults"), ("<", "with fewer"))
            if mark in marks
        ),
    ]
    return f"Plate {plate.name}: {', '.join(parts)}"


def _header(columns: int, digits: int) -> str:
    """Write the columns' numbers, or 1, 5, 10, … where a well is one character (no `digits`)."""
    if digits:
        return "   " + "".join(f"{column:>{digits}} " for column in range(1, columns + 1)).rstrip()
    line = [" "] * (columns + 2)
    for column in (1, *range(5, columns + 1, 5)):
        label = str(column)
        line[column - 1 : column - 1 + len(label)] = label
    return "   " + "".join(line).rstrip()


def _others(plates: list[_Plate]) -> str:
    """Say in a line what the plates are that are not drawn."""
    fields = sum(sum(plate.fields.values()) for plate in plates)
    line = f"and {counted(len(plates), 'more plate')} with {counted(fields, 'field')}"
    wrong = {plate.name: sum(plate.mark(well) != "" for well in plate.wells) for plate in plates}
    named = [f"{name} ({counted(wells, 'well')})" for name, wells in wrong.items() if wells]
    if named:
        more = f" and {len(named) - 8} more" if len(named) > 8 else ""
        line += f"; faults or fewer fields on {', '.join(named[:8])}{more}"
    return line

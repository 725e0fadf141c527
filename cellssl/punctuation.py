"""What parts the columns of a table of text, and the decimals of its numbers."""

import gzip
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

BLANKS = (
    "its columns are parted by blanks: wanted commas, semicolons or tabs. In R, write.csv writes them, and "
    'write.table(…, sep = "\\t")'
)

LOOKED_AT = 50  # lines
THOUSANDS = r"[+-]?[1-9]\d{0,2},\d{3}"  # 1,500 is 1500 in one country, 1.5 in another
# Of several that part the lines equally well, the first: a comma may be a decimal one everywhere.
_SEPARATORS = ("\t", ";", ",")
_QUOTED = re.compile(r'"[^"]*"')
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_POINTED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")  # 1.500 is 1500 in the other country
_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")


def punctuation_of(path: Path) -> tuple[str, str]:
    """Say what parts the columns of a CSV (also .gz), and the decimals, by its first lines.

    Raises
    ------
    ValueError
        When columns are parted by blanks.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        lines = [line.decode("utf-8-sig", errors="replace") for line in islice(file, LOOKED_AT)]
    if parted_by_blanks(lines):
        raise ValueError(BLANKS)
    separator = separator_of(lines)
    if separator == ",":
        return separator, "."
    values = [part.strip(' "\r\n') for line in lines[1:] for part in line.split(separator)]
    commas = [value for value in values if _COMMA.fullmatch(value)]
    points = any(_POINT.fullmatch(value) for value in values)
    thousands = all(re.fullmatch(THOUSANDS, value) for value in commas)
    return separator, "." if points or thousands else ","


def doubtful_points(numbers: Sequence[str]) -> str | None:
    """Give a number whose point parts thousands, by all that is seen of its column; None where points are decimal.

    A decimal point has other than three digits behind it somewhere, or all numbers are written to three; of
    those written as short as can be none ends with 0.

    Examples
    --------
    >>> doubtful_points(["1.000", "300", "30"]), doubtful_points(["1.000", "0.300"])
    ('1.000', None)
    """
    doubtful = [number for number in numbers if "." in number and number.endswith("0")]
    whole = any("." not in number and number.strip("+-0") for number in numbers)
    return doubtful[0] if doubtful and whole and may_part_thousands(numbers) else None


def may_part_thousands(numbers: Sequence[str]) -> bool:
    """Say whether there are points, and each may stand between thousands.

    Examples
    --------
    >>> may_part_thousands(["1.125", "300"]), may_part_thousands(["1.125", "0.5"])
    (True, False)
    """
    points = [number for number in numbers if "." in number]
    return bool(points) and all(_POINTED.fullmatch(number) for number in points)


def parted_by_blanks(lines: Sequence[str]) -> bool:
    """Tell a table that R's write.table wrote: no usual separator, and several quoted or bare words a line.

    Examples
    --------
    >>> parted_by_blanks(['"Well" "Dose"', '"1" "A01" 0.5']), parted_by_blanks(["Well name", "A01"])
    (True, False)
    """
    full = [_QUOTED.sub("x", line) for line in lines if line.strip()]
    if len(full) < 2 or any(one in full[0] for one in _SEPARATORS):
        return False
    rows = [line.split() for line in full]
    count = len(rows[0])  # R gives the names of rows no name
    return count > 1 and all(len(row) in (count, count + 1) for row in rows[1:])


def separator_of(lines: Sequence[str]) -> str:
    """Say what parts columns: what most lines have as often as the first, else what is most often there.

    Examples
    --------
    >>> separator_of(["Well,Note; with; more", "A1,x"]), separator_of(["Well;Dose, µM", "A1;0,5"])
    (',', ';')
    """
    text = "\n".join(line.rstrip("\r\n") for line in lines)
    header, *rows = _QUOTED.sub("", text).splitlines() or [""]

    def fit(separator: str) -> tuple[int, int]:
        count = header.count(separator)
        return sum(row.count(separator) == count for row in rows) if count else 0, count

    return max(_SEPARATORS, key=fit) if any(one in header for one in _SEPARATORS) else ","

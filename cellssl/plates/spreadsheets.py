"""Tables of text, however a spreadsheet or a microscope wrote them."""

import codecs
import gzip
import io
import logging
import re
from itertools import chain, count, islice
from pathlib import Path

import pandas as pd

from cellssl.errors import PlateError
from cellssl.plates.decimals import say_doubtful_points, with_decimal_points
from cellssl.punctuation import BLANKS, LOOKED_AT, parted_by_blanks, separator_of

_LOG = logging.getLogger(__name__)

_HEAD = 1 << 20  # bytes; enough for the names of thousands of columns and some rows
_UNNAMED = "Unnamed: "  # as pandas calls a column without a name
_NUMBERED = re.compile(r'[^\n\r]*[\n\r]+ *"\d+"')  # the first row begins with a number in quotes


def read_spreadsheet(
    path: str | Path, *, rows: int | None = None, empty: bool = False
) -> pd.DataFrame:
    """Read a CSV (also .gz) as strings without spaces around, however it was written.

    Line ends may be LF, CRLF or a bare CR; columns are parted by commas, semicolons or tabs, by
    whichever parts the first lines alike. Where it is no comma, a decimal comma becomes a point,
    unless all may be thousands (``1,500``). Points that may part the thousands of doses do so where
    another column has decimal commas, and are taken out; where none has, doses are refused whose points
    seem to do so (``1.000`` beside ``300``). The text is UTF-8, UTF-16 (Excel's Unicode text), or
    else Windows-1252. Empty rows, and empty columns without a name, are left out.

    `rows` limits how many are read; 0 gives the columns alone.

    Raises
    ------
    PlateError
        When the file is missing, is not a table, or has no rows unless it may be `empty`; when points
        seem to part the thousands of doses.
    """
    path = Path(path)
    table, text, separator = _read_columns(path, rows)
    names = _number_repeats([str(name).strip() for name in table.columns])
    if not isinstance(table.index, pd.RangeIndex):
        table = _place_first_column(table, path, numbered=_NUMBERED.match(text) is not None)
        table = table.iloc[:, : len(names)]
    table.columns = names
    # `taxol ` is no other compound
    table = _without_margins(table.apply(lambda column: column.fillna("").str.strip()))
    if separator != "," and len(table):
        table = with_decimal_points(table, path)
    say_doubtful_points(table)
    if table.empty and rows != 0 and not empty:
        raise PlateError(f"{path} has no rows.")
    return table


def _read_columns(path: Path, rows: int | None) -> tuple[pd.DataFrame, str, str]:
    """Read the columns as they are written; give the whole text and the separator, too."""
    try:
        text, encoding = _decode(_read_bytes(path, None if rows is None else _HEAD), path)
        if encoding == "cp1252" and rows is None:  # a first look need not say it too
            _LOG.info("%s is not UTF-8: read as Windows-1252", path)
        text = re.sub(r"\Asep=.[\r\n]+", "", text)  # Excel's own first line
        # Python's universal newlines know the bare CR that the published moa.csv ends lines with.
        lines = io.StringIO(text, newline=None)
        first = list(islice(lines, LOOKED_AT))
        if parted_by_blanks(first):
            raise ValueError(BLANKS)
        separator = separator_of(first)
        lines.seek(0)
        table = pd.read_csv(
            lines,
            sep=separator,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            nrows=rows,
        )
        return table, text, separator
    except PlateError:
        raise
    except FileNotFoundError as error:
        raise PlateError(f"there is no metadata file {path}.") from error
    except pd.errors.ParserError as error:
        quotes = "close the quotation mark that is left open"
        many = (
            "take out what stands above the columns' names, and put quotes around texts with commas"
        )
        mend = quotes if "EOF inside string" in str(error) else many
        raise PlateError(
            f"{path} cannot be read as a CSV table: {str(error).strip()}: {mend}."
        ) from error
    except (OSError, EOFError, ValueError) as error:
        raise PlateError(f"{path} cannot be read as a CSV table: {error}.") from error


def _decode(raw: bytes, path: Path) -> tuple[str, str]:
    """Make text of a table's bytes; say of which encoding it was."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # The first lines may end within a character.
        return raw.decode("utf-16", errors="ignore"), "utf-16"
    if (encoding := _unmarked_utf16(raw)) is not None:
        return raw.decode(encoding, errors="ignore"), "utf-16"
    if b"\0" in raw:  # in no text but UTF-16
        raise PlateError(
            f"{path} is no text (an Excel workbook?): wanted a CSV. Save it as CSV from the program "
            "that wrote it."
        )
    try:
        return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace"), "cp1252"


def _unmarked_utf16(raw: bytes) -> str | None:
    """Tell UTF-16 without its mark, whose every second byte is 0 in a first line of plain letters."""
    start = raw[:16]
    for encoding, odd in (("utf-16-le", 1), ("utf-16-be", 0)):
        if len(start) >= 8 and not any(start[odd::2]) and all(start[1 - odd :: 2]):
            return encoding
    return None


def _number_repeats(names: list[str]) -> list[str]:
    """Give a number to names that are there again once their blanks are gone, as pandas does to others."""
    apart: list[str] = []
    for name in names:
        numbered = (f"{name}.{number}" for number in count(1))
        apart.append(next(one for one in chain([name], numbered) if one not in apart))
    return apart


def _place_first_column(table: pd.DataFrame, path: Path, *, numbered: bool) -> pd.DataFrame:
    """Put the first values where they belong; rows have more of them than there are names.

    Each row ends with a separator, and pandas took the first column for an index; or R wrote names of
    rows in front, `numbered` in quotes, which nobody needs.
    """
    if not numbered and table.iloc[:, -1].eq("").all():
        return table.reset_index()
    if not table.index.to_frame().astype(str).iloc[:, 0].str.fullmatch(r"\d+").all():
        raise PlateError(
            f"{path}: rows have {table.shape[1] + table.index.nlevels} columns and the first line only "
            f"{table.shape[1]} names ({', '.join(map(str, table.columns))}). Name them all, or take out what stands "
            "above the columns' names."
        )
    return table.reset_index(drop=True)


def _without_margins(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out rows and nameless columns that say nothing: a sheet's once used, now empty cells."""
    table = table[(table != "").any(axis=1)].reset_index(drop=True)
    return table.loc[:, [not _says_nothing(column) for _, column in table.items()]]


def _says_nothing(column: pd.Series) -> bool:
    """Tell a column without a name that is empty, or counts the rows from 0 or 1, as pandas' index does.

    Of rows that were chosen or sorted the numbers have gaps, but they lead the table.
    """
    if not str(column.name).startswith(_UNNAMED):
        return False
    numbers = column.str.fullmatch(r"\d+").all() and column.is_unique
    return bool((numbers and column.name == f"{_UNNAMED}0") or column.eq("").all())


def _read_bytes(path: Path, most: int | None) -> bytes:
    """Read a file, or the whole lines among its first bytes; .gz is unpacked."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        raw = file.read(-1 if most is None else most)
    if most is None or len(raw) < most:
        return raw
    return raw[: max(raw.rfind(b"\n"), raw.rfind(b"\r")) + 1] or raw

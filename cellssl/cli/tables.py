"""Tables that fit the screen: words stay whole, and columns without room follow in a table below."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

_GAP = 2  # blanks between columns


def fitted_tables(columns: Sequence[Sequence[str]], room: int) -> Iterator[Table]:
    """Lay columns, each with its head first, into tables no wider than `room`; the first column heads every one.

    Columns are as wide as their longest word at least, and what room is left goes to those with the longest lines.

    Examples
    --------
    >>> columns = [["name", "a-long-name"], ["text", "of some words"], ["number", "12"]]
    >>> [[str(head.header) for head in table.columns] for table in fitted_tables(columns, 30)]
    [['name', 'text', 'number']]
    >>> [[str(head.header) for head in table.columns] for table in fitted_tables(columns, 20)]
    [['name', 'text'], ['name', 'number']]
    """
    words = [
        max(cell_len(word) for cell in column for word in cell.split() or [""])
        for column in columns
    ]
    groups = [[0]]
    for number in range(1, len(columns)):
        if len(groups[-1]) > 1 and _width([words[n] for n in [*groups[-1], number]]) > room:
            groups.append([0])
        groups[-1].append(number)
    for group in groups:
        yield _table([columns[n] for n in group], [words[n] for n in group], room)


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _table(columns: Sequence[Sequence[str]], words: Sequence[int], room: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    lines = [max(map(cell_len, column)) for column in columns]
    wanted = [line - word for line, word in zip(lines, words, strict=True)]
    spare = room - _width(words)
    share = min(1.0, spare / (sum(wanted) or 1))
    for column, word, more in zip(columns, words, wanted, strict=True):
        # A word that is wider than the screen has to be broken, wherever that is.
        width = word + int(share * more) if spare >= 0 else None
        table.add_column(escape(column[0]), width=width, overflow="fold")
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(escape, row))
    return table

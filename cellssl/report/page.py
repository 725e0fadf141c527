"""What a page is made of, and how sections become one HTML file."""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib.figure import Figure

from cellssl import __version__
from cellssl.files import make_folder, write_text
from cellssl.report.figures.style import save_figure

LIMIT = 9_500_000  # bytes: a page that a mail server lets through
RESOLUTIONS = (150, 110, 80)  # dots per inch; the first whose page is within the limit is taken
CSS_PIXELS = 96  # of an inch, by definition


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: str = ""  # "", "warning" or "aside"
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Bullets:
    """A list of statements: what each is about in bold, and the statement."""

    items: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Table:
    """Rows of text under named columns; numbers are set flush right by `numeric` columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    numeric: Sequence[str] = ()
    bold: frozenset[tuple[int, int]] = frozenset()  # (row, column) of cells that stand out
    kind: ClassVar[str] = "table"

    @classmethod
    def of(cls, table: pd.DataFrame, *, numeric: Sequence[str] = ()) -> "Table":
        """Show a table of texts."""
        return cls(list(map(str, table)), table.to_numpy().tolist(), numeric=numeric)


@dataclass
class Picture:
    """A figure, a sentence that a biologist understands, a text for those who cannot see it.

    With a `name` it is a file beside the page, too: for slides.
    """

    figure: Figure
    caption: str
    alt: str
    name: str = ""
    source: str = field(default="", init=False)
    kind: ClassVar[str] = "picture"

    @property
    def width(self) -> int:
        """Width on the screen in CSS pixels."""
        return round(self.figure.get_figwidth() * CSS_PIXELS)

    def encode(self, dots: int) -> None:
        """Draw the figure as a PNG that the page itself holds."""
        buffer = io.BytesIO()
        with mpl.rc_context({"savefig.facecolor": "white"}):
            self.figure.savefig(buffer, format="png", dpi=dots, metadata={"Software": None})
        self.source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@dataclass(frozen=True)
class Fold:
    """Blocks behind a line that opens them (printed open)."""

    title: str
    blocks: Sequence["Block"]
    kind: ClassVar[str] = "fold"


@dataclass(frozen=True)
class Row:
    """Pictures side by side where the screen is wide enough."""

    blocks: Sequence["Picture"]
    kind: ClassVar[str] = "row"


Block = Text | Bullets | Table | Picture | Fold | Row


@dataclass(frozen=True)
class Section:
    """A part of the page; `short` is its name in the navigation."""

    anchor: str
    short: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""


def write_page(
    out: str | Path, *, title: str, subtitle: str, sections: Iterable[Section | None]
) -> Path:
    """Write one HTML file that needs nothing beside it.

    Parameters
    ----------
    out : the file; its folder is made
    sections : in their order, None for one with nothing to say; pictures are as fine as a page of
        9.5 MB allows

    Raises
    ------
    CellsslError
        When its folder cannot be written to.
    """
    out = Path(out)
    make_folder(out.parent)
    said = [section for section in sections if section is not None]
    pictures = [picture for section in said for picture in _pictures(section.blocks)]
    for picture in pictures:
        if picture.name:
            save_figure(picture.figure, out.parent / f"{picture.name}.png")
    footer = f"Written by cellssl {__version__} on {datetime.now().astimezone():%Y-%m-%d, %H:%M}."
    template, html = load_template("cellssl.report", "templates", "report.html"), ""
    for dots in RESOLUTIONS:
        for picture in pictures:
            picture.encode(dots)
        html = template.render(title=title, subtitle=subtitle, sections=said, footer=footer)
        if len(html) < LIMIT:
            break
    write_text(html, out)
    return out


def _pictures(blocks: Sequence[Block]) -> Iterator[Picture]:
    for block in blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Fold | Row):
            yield from _pictures(block.blocks)


def load_template(package: str, folder: str, name: str) -> Template:
    """Read a package's template; every text is escaped: compound names come from users' files."""
    environment = Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)

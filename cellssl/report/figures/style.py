"""One look for every figure: sizes, and colours that colour-blind people can tell apart."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cellssl.columns import CONTROL, find_column
from cellssl.errors import CellsslError, EmbeddingError
from cellssl.files import atomic, make_folder
from cellssl.phenotypes.controls import is_negative
from cellssl.words import natural_key

# Okabe & Ito 2008, "Color Universal Design"; yellow last: it is faint on white. Black is kept
# for text.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
GREY = "#B8BDC4"
INK = "#1F2933"
FAINT = "#6B7682"  # of what stands beside the data: signs for no data, trees, remarks
UNKNOWN = "not known"
WIDEST = 10.1  # inches: the width of the page

RC: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": "#8A94A0",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "text.color": INK,
    "grid.color": GREY,
    "grid.alpha": 0.4,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.titlesize": 10.5,
    "figure.facecolor": "white",
}

# Of long names beneath narrow columns.
SLANTED: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}

# The line that values are read against.
DASHED: dict[str, Any] = {"color": INK, "lw": 0.9, "ls": (0, (4, 3))}

# Letters of a name beside an axis: an IUPAC name would leave no room for what is drawn.
LONGEST = 40

Parameters = ParamSpec("Parameters")
Ranked = TypeVar("Ranked", pd.DataFrame, pd.Series)


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Run a figure function with this module's style; the caller's own settings are untouched."""

    @wraps(draw)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with mpl.rc_context(RC):
            return draw(*args, **kwargs)

    return wrapper


def check_table(given: object, maker: str) -> None:
    """Refuse what is no table, an embedding say; `maker` gives one."""
    if not isinstance(given, pd.DataFrame | pd.Series):
        raise EmbeddingError(f"wanted what `{maker}` gives, got {type(given).__name__}.")


class _NotebookFigure(Figure):
    """A figure outside pyplot that Jupyter shows nevertheless."""

    def _repr_png_(self) -> bytes:
        with BytesIO() as picture:
            self.savefig(picture, format="png", dpi=110)
            return picture.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of `width` × `height` inches, constrained, outside pyplot."""
    figure = _NotebookFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_panels(
    count: int, columns: int, *, size: tuple[float, float], above: float = 0.0, share: bool = False
) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels of `size` inches, at most so many columns of them.

    `above` are the inches that titles and legends take; with `share` panels have the same axes.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(size[0] * columns, size[1] * rows + above)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return figure, list(grid.flat[:count])


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 150) -> Path:
    """Write a figure to `path` (.png, .pdf or .svg), whole or not at all; its folder is made.

    Raises
    ------
    CellsslError
        When the folder cannot be written to, or the ending names no format that matplotlib writes.
    """
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise CellsslError(f"cannot draw {path.name}: wanted a name ending in .png, .pdf or .svg")
    make_folder(path.parent)
    with atomic(path) as part:
        figure.savefig(part, dpi=dpi)
    return path


def legend_below(figure: Figure, axes: Axes, *, title: str = "") -> None:
    """Explain the lines of `axes` below the figure, in as many columns as fit into it, which grows by their rows."""
    handles, labels = axes.get_legend_handles_labels()
    columns = legend_columns(labels, figure.get_figwidth(), handle=0.6)
    rows = -(-len(labels) // columns) + bool(title)
    figure.set_figheight(figure.get_figheight() + 0.2 * (rows - 1))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, title=title or None)


def legend_columns(labels: Collection[str], width: float, *, handle: float) -> int:
    """Say in how many columns labels fit into a width, in inches, each beside a `handle` of some."""
    widest = handle + 0.075 * max(map(len, labels), default=0)
    return max(min(int(width / widest), len(labels)), 1)


def literal(text: object) -> str:
    """Keep matplotlib from reading a ``$`` in somebody's compound name as mathematics."""
    return str(text).replace("$", r"\$")


def brief(name: object) -> str:
    """Write a name beside an axis: of one longer than 40 letters the beginning and the end, where names differ."""
    text = str(name)
    return literal(text if len(text) <= LONGEST else f"{text[:24]}…{text[-15:]}")


def bare(axes: Axes) -> None:
    """Take ticks and frame away: pictures and UMAPs have no units."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def write_values(
    axes: Axes,
    values: np.ndarray,
    form: str,
    *,
    white: float,
    least: float = -np.inf,
    size: float = 7,
) -> None:
    """Write the numbers (R, K) of an image into its squares, from `least` on; beyond ±`white` in white."""
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value) and value >= least:
            ink = "white" if abs(value) > white else INK
            text = axes.text(column, row, form.format(value), ha="center", va="center")
            text.set(fontsize=size, color=ink)


def ends_of(ranked: Ranked, most: int) -> tuple[Ranked, np.ndarray, str]:
    """Leave out the middle of more than `most` rows; give the rows, their places and a note.

    Place `most // 2` is free for the note, which is empty where nothing is left out.
    """
    left_out, half = len(ranked) - most, most // 2
    if left_out <= 0:
        return ranked, np.arange(len(ranked)), ""
    kept = pd.concat([ranked.iloc[:half], ranked.iloc[half + left_out :]])
    return kept, np.delete(np.arange(most + 1), half), f"… {left_out:,} between …"


def as_categories(values: pd.Series) -> pd.Series:
    """Turn any column into text: 2.0 becomes "2", missing or empty becomes "not known"."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    text = values.astype("string").fillna("").str.strip()
    return text.mask(text == "", UNKNOWN).astype(str)


def natural_order(names: Iterable[str]) -> list[str]:
    """Sort names as people do: 2 before 10, and "not known" last."""
    return sorted(set(names), key=lambda name: (name == UNKNOWN, natural_key(name.casefold())))


# What a treatment is or does: a control that has none is no gap in what is known.
_OF_TREATMENTS = tuple(
    f"Metadata_{name}"
    for name in ("Compound", "Concentration", "MOA", "Gene", "Guide", "Phenotype")
)


def drawn_names(obs: pd.DataFrame, column: str) -> pd.Series:
    """Turn a column into text; negative controls that have nothing in it, no mechanism say, are called so."""
    names = as_categories(obs[column])
    if column not in _OF_TREATMENTS:
        return names
    unnamed = is_negative(obs, CONTROL) & (names == UNKNOWN)
    return names.mask(unnamed, "negative control")


def control_names(obs: pd.DataFrame, column: str) -> tuple[str, ...]:
    """Find the name that all negative controls are drawn by in a column, to be drawn in grey."""
    if column == CONTROL:
        return ()
    names = drawn_names(obs, column)
    own = names[is_negative(obs, CONTROL)].unique()
    return tuple(own) if len(own) == 1 and names.nunique() > 2 else ()


def label_colours(obs: pd.DataFrame, column: str | None) -> dict[str, str]:
    """Give each name of a column the colour that it has on the map of these cells, for every other figure of them.

    It is empty where there is no such column, or more names than colours: the map then has none, either.
    """
    column = None if column is None else find_column(obs, column)
    if column is None:
        return {}
    names, grey = natural_order(drawn_names(obs, column)), control_names(obs, column)
    coloured = [name for name in names if name not in grey and name != UNKNOWN]
    return category_colours(names, grey=grey) if len(coloured) <= len(OKABE_ITO) else {}


def category_colours(names: Sequence[str], *, grey: Sequence[str] = ()) -> dict[str, str]:
    """Give each name a colour; names in `grey` and unknown ones are grey.

    There are seven colours that everybody can tell apart: beyond seven names they repeat, so a
    figure with more names must also write them (numbers on the map, letters in the strip).
    """
    coloured = [name for name in dict.fromkeys(names) if name not in grey and name != UNKNOWN]
    colours = {name: OKABE_ITO[i % len(OKABE_ITO)] for i, name in enumerate(coloured)}
    return {name: colours.get(name, GREY) for name in dict.fromkeys(names)}

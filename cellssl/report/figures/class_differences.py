"""What an embedding gains and loses in each class against others, with intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import differences_by_class
from cellssl.phenotypes.evaluation.metrics import TITLES
from cellssl.report.figures.style import (
    DASHED,
    GREY,
    OKABE_ITO,
    WIDEST,
    brief,
    literal,
    natural_order,
    new_panels,
    styled,
)

COLUMNS = 4  # panels beside each other


@styled
def class_difference_figure(
    differences: pd.DataFrame, one: str, others: Sequence[str], *, classifier: str = "knn"
) -> Figure:
    """Draw how much more or less of each class one embedding finds than each of the others.

    Parameters
    ----------
    differences : DataFrame
        `Measurements.class_differences`.
    one : str
        Right of zero it finds more.
    others : sequence of str
        A panel each; those without such rows are left out.
    classifier : str
        ``knn`` or ``linear``, or across batches ``knn_batches`` or ``linear_batches``.

    Raises
    ------
    EmbeddingError
        When the table holds none of them.
    """
    tables = {
        name: table.set_index(table["class"].astype(str))
        for name in others
        if len(table := differences_by_class(differences, one, name, classifier=classifier))
    }
    if not tables:
        raise EmbeddingError(
            f"no class differences of {one!r} with {', '.join(others)} by {classifier}, of all classes."
        )
    classes = natural_order(next(iter(tables.values())).index)
    size = (WIDEST / min(len(tables), COLUMNS), 0.2 * max(len(classes), 4) + 0.75)
    figure, panels = new_panels(len(tables), COLUMNS, size=size, above=0.4, share=True)
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        _panel(axes, table.loc[classes])
        axes.set_title(f"against {literal(name)}")
    panels[0].set_yticks(range(len(classes)), [brief(name) for name in classes])
    panels[0].set_ylim(len(classes) - 0.5, -0.5)
    title = f"Share of each class found by {TITLES[classifier]}: {literal(one)} less another"
    figure.suptitle(title, x=0.01, ha="left")
    marks = [
        Line2D([], [], marker="o", ls="", color=OKABE_ITO[0], label=f"{literal(one)} finds more"),
        Line2D([], [], marker="o", ls="", color=OKABE_ITO[1], label=f"{literal(one)} finds less"),
        Line2D([], [], marker="o", ls="", mfc="white", color=GREY, label="cannot be told apart"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, table: pd.DataFrame) -> None:
    """Draw a dot and an interval for each class."""
    axes.axvline(0, **DASHED, zorder=0)
    places = np.arange(len(table))
    gains, apart = table["difference"].to_numpy(float) > 0, table["apart"].to_numpy(bool)
    colours = np.where(apart, np.where(gains, OKABE_ITO[0], OKABE_ITO[1]), GREY).tolist()
    axes.hlines(places, table["low"], table["high"], color=colours, lw=1.6)
    fills = [colour if sure else "white" for colour, sure in zip(colours, apart, strict=True)]
    axes.scatter(table["difference"], places, s=30, c=fills, edgecolors=colours, zorder=3)
    axes.grid(axis="x")
    axes.tick_params(left=False, labelbottom=True)

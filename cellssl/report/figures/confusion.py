"""Which classes a classifier finds, and which it takes for which."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.evaluation.metrics import TITLES
from cellssl.report.figures.style import (
    brief,
    literal,
    natural_order,
    new_figure,
    styled,
    write_values,
)

NUMBERED = 20  # classes: with more there is no room for numbers in the squares
NAMED = 60  # classes: with more there is no room for names beside the rows


@styled
def confusion_figure(
    confusions: pd.DataFrame, *, embedding: str | None = None, subset: str = "all"
) -> Figure:
    """Draw the share of each true class that is taken for each, a square per classifier.

    A class that a classifier was not asked for (across batches) is a white row.

    Parameters
    ----------
    confusions : tidy table (embedding, subset, classifier, true, predicted, count, seed, …)
        What `evaluate` writes as confusion.csv; counts of several training seeds are added up. Of
        one classifier when the others' rows are left out.
    embedding : whose; may be left out when the table is of one alone
    subset : of the classes

    Raises
    ------
    EmbeddingError
        When the table has no such rows.
    """
    names = list(dict.fromkeys(confusions["embedding"].astype(str)))
    if embedding is None and len(names) == 1:
        embedding = names[0]
    mine = confusions["embedding"].astype(str) == embedding
    table = confusions[mine & (confusions["subset"].astype(str) == subset)]
    if table.empty:
        raise EmbeddingError(
            f"no confusions of {embedding!r} and subset {subset!r}: there are those of "
            f"{', '.join(names) or 'none'}."
        )
    both = _counts(table)  # of all classifiers, some of which may be asked fewer classes
    counts = {
        str(name): _counts(own).reindex(index=both.index, columns=both.columns, fill_value=0)
        for name, own in table.groupby("classifier", sort=False)
    }
    rows, columns = both.shape
    side = float(np.clip(0.27 * columns, 2.2, 4.0))
    written = 0.2 + 0.068 * max(len(name) for name in both.columns) if columns <= NAMED else 0.4
    across = 2 if len(counts) > 2 else len(counts)
    down = -(-len(counts) // across)
    figure = new_figure(
        across * (side + 0.3) + written + 0.7, down * (side * rows / columns + written + 0.7)
    )
    figure.set_layout_engine("compressed")  # squares, of which none pushes its names off the page
    panels = figure.subplots(down, across, squeeze=False, sharey=True)
    grid = panels.flat[: len(counts)]
    for axes in panels.flat[len(counts) :]:
        axes.set_visible(False)
    font = min(8.5, side / columns * 72 * 0.8)
    for axes, (name, own) in zip(grid, counts.items(), strict=True):
        image = _heat(axes, own, font=font)
        axes.set_title(TITLES.get(name, name))
        axes.set_xlabel("predicted")
    if max(both.shape) <= NAMED:
        sizes = pd.concat([own.sum(axis=1) for own in counts.values()], axis=1).max(axis=1)
        names = [f"{brief(name)} ({size:g})" for name, size in sizes.items()]
        grid[0].set_yticks(range(rows), names, fontsize=font)
    for axes in panels[:, 0]:
        axes.set_ylabel("true class (its number)" if columns <= NAMED else "true class")
    figure.suptitle(literal(embedding), x=0.01, ha="left")
    bar = figure.colorbar(image, ax=list(grid), fraction=0.03, aspect=25, pad=0.02)
    bar.set_label("share of the true class, %")
    return figure


def _counts(table: pd.DataFrame) -> pd.DataFrame:
    """Count by true class, where there are cells, and predicted class, where it occurs at all."""
    text = table.assign(true=table["true"].astype(str), predicted=table["predicted"].astype(str))
    counts = text.pivot_table("count", "true", "predicted", aggfunc="sum").fillna(0)
    there = set(counts.index[counts.sum(axis=1) > 0])
    found = there | set(counts.columns[counts.sum() > 0])
    rows, columns = natural_order(there), natural_order(found)
    return counts.reindex(index=rows, columns=columns, fill_value=0)


def _heat(axes: Axes, counts: pd.DataFrame, *, font: float) -> AxesImage:
    """Draw one square: rows sum to a hundred; one of no cells stays white."""
    sizes = counts.sum(axis=1).replace(0, np.nan)
    shares = 100 * counts.to_numpy(float) / sizes.to_numpy(float)[:, None]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if max(shares.shape) > NAMED:
        axes.set_xticks([])
        axes.set_yticks([])
        return image
    columns = [brief(name) for name in counts.columns]
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=font)
    if max(shares.shape) <= NUMBERED:
        # Zeros would only hide the rest.
        write_values(axes, shares, "{:.0f}", white=55, least=0.5, size=font * 0.85)
    return image

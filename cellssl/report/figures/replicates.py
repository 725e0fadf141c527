"""Whether replicates are alike, and how finely cells may be clustered."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from cellssl.phenotypes import Similarity
from cellssl.report.figures.style import (
    GREY,
    INK,
    OKABE_ITO,
    brief,
    check_table,
    ends_of,
    new_figure,
    styled,
)

MOST_ROWS = 60


@styled
def replicate_figure(replicates: Similarity | pd.DataFrame) -> Figure:
    """Draw how alike each treatment's wells are, against as many random wells.

    Of more than 60 treatments the most and, as many, the least alike.

    Parameters
    ----------
    replicates : what :func:`cellssl.similarity` gives, or its table of that name: index treatment;
        wells, correlation, limit, replicates, across_plates
    """
    if isinstance(replicates, Similarity):
        replicates = replicates.replicates
    check_table(replicates, "cellssl.similarity")
    known = replicates.dropna(subset="correlation").sort_values("correlation")
    ranked, rows, note = ends_of(known, MOST_ROWS)
    figure = new_figure(7.6, 1.3 + 0.19 * max(len(ranked), 3))
    axes = figure.add_subplot()
    axes.hlines(rows, ranked["limit"], ranked["correlation"], color=GREY, lw=1)
    axes.plot(ranked["limit"], rows, "|", color=INK, ms=8)
    above = ranked["replicates"].fillna(False).to_numpy(dtype=bool)
    colours = np.where(above, OKABE_ITO[0], "white")
    axes.scatter(ranked["correlation"], rows, c=colours, edgecolors=OKABE_ITO[0], s=34, zorder=3)
    names = [
        f"{brief(name)}  ({wells} wells{'' if across else ', one plate'})"
        for name, wells, across in zip(
            ranked.index, ranked["wells"], ranked["across_plates"], strict=True
        )
    ]
    axes.set_yticks(rows, names)
    axes.set_ylim(-0.7, (rows[-1] if len(rows) else 0) + 0.7)
    where = (0.01, MOST_ROWS // 2)
    axes.text(*where, note, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_xlabel("median correlation of a treatment's wells")
    told = replicates["replicates"].dropna()
    axes.set_title(f"{int(told.sum())} of {len(told)} treatments of several wells replicate")
    dot: dict[str, Any] = {"marker": "o", "ls": "", "mec": OKABE_ITO[0], "ms": 6}
    handles = [
        Line2D([], [], mfc=OKABE_ITO[0], label="above random wells", **dot),
        Line2D([], [], mfc="white", label="not above", **dot),
        Line2D([], [], marker="|", ls="", color=INK, ms=8, label="95 % of random wells"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def stability_figure(stability: pd.DataFrame) -> Figure:
    """Draw how well subsamples agree on Leiden's clusters at each resolution; the chosen one filled.

    Parameters
    ----------
    stability : resolution, clusters, stability, low, high, chosen
    """
    figure = new_figure(6.2, 3.6)
    axes = figure.add_subplot()
    x, y = stability["resolution"], stability["stability"]
    axes.vlines(x, stability["low"], stability["high"], color=GREY, lw=2)
    axes.plot(x, y, color=OKABE_ITO[0], lw=1)
    face = np.where(stability["chosen"], OKABE_ITO[1], "white")
    axes.scatter(x, y, c=face, edgecolors=OKABE_ITO[0], s=44, zorder=3)
    for place, clusters in zip(x, stability["clusters"], strict=True):
        text = axes.text(place, 1.0, f"{clusters:g}", transform=axes.get_xaxis_transform())
        text.set(ha="center", va="bottom", fontsize=8.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(x)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{value:g}" for value in x])
    axes.set_ylim(min(0.0, float(stability["low"].min())), 1.03)
    axes.set_xlabel("resolution of Leiden (above: clusters)")
    axes.set_ylabel("adjusted Rand index\nof two subsamples")
    chosen = Line2D([], [], marker="o", ls="", mfc=OKABE_ITO[1], mec=OKABE_ITO[0], label="chosen")
    figure.legend(handles=[chosen], loc="outside lower center")
    return figure

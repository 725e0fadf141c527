"""Scores of embeddings side by side: dots with intervals, baselines marked, confounders beneath."""

import re
from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cellssl.phenotypes.evaluation.metrics import TITLES, TOGETHER
from cellssl.phenotypes.evaluation.score_tables import summarise_scores
from cellssl.phenotypes.leakage import marked
from cellssl.report.figures.style import (
    DASHED,
    INK,
    OKABE_ITO,
    WIDEST,
    brief,
    check_table,
    new_figure,
    styled,
)
from cellssl.words import number

ORIGINS = ("ami_plate", "ami_batch")
PLACES = ("ami_row", "ami_column", "ami_edge")  # what confounds on a single plate
# With an addition (``random:vgg13_bn``, ``ResNet-50 (ImageNet)``) or without; a run may be called resnet18-mine.
_BASELINE = re.compile(
    r"(random|resnet-?\d+(-v1)?|imagenet|simple[-_]features|intensity([-_]features)?|cell-count)(?![\w-])"
)


def is_baseline(name: str) -> bool:
    """Tell whether an embedding is a baseline: it was not trained on cells."""
    return bool(_BASELINE.match(name.lower()))


@styled
def score_figure(
    scores: pd.DataFrame,
    *,
    subset: str = "all",
    baselines: Collection[str] | None = None,
) -> Figure:
    """Draw AMI | kNN | linear | kNN across batches per embedding, AMI with plate and batch beneath.

    Of a single plate AMI with row, column and edge stand beneath.

    Parameters
    ----------
    scores : tidy table (embedding, subset, metric, value, low, high, seed, …)
    baselines : names drawn hollow; recognised by name when not given
    """
    check_table(scores, "cellssl.evaluate")
    summary = summarise_scores(scores)
    summary = summary[(summary["subset"] == subset) & summary["value"].notna()]
    names = list(dict.fromkeys(summary["embedding"]))
    hollow = set(filter(is_baseline, names)) if baselines is None else set(baselines)
    names.sort(key=lambda name: name in hollow)
    upper = [metric for metric in TOGETHER if (summary["metric"] == metric).any()] or [TOGETHER[0]]
    there = set(summary["metric"])
    lower = [metric for metric in ORIGINS if metric in there]
    lower = lower or [metric for metric in PLACES if metric in there]
    height = 0.27 * max(len(names), 2) + 0.75
    figure = new_figure(WIDEST, height * (2 if lower else 1) + 0.3)
    columns = max(len(upper), len(lower))
    grid = figure.subplots(2 if lower else 1, columns, squeeze=False, sharey=True)
    for row, metrics in zip(grid, [upper, lower] if lower else [upper], strict=True):
        for axes, metric in zip(row, metrics, strict=False):
            _facet(axes, summary[summary["metric"] == metric], names, hollow, metric in lower)
            axes.set_title(TITLES.get(metric, metric))
        for axes in row[len(metrics) :]:
            axes.set_visible(False)
    weak = set(summary.loc[summary["weak"], "embedding"])
    grid[0, 0].set_yticks(range(len(names)), [marked(brief(name), name in weak) for name in names])
    grid[0, 0].set_ylim(max(len(names), 1) - 0.5, -0.5)
    handles = [
        Line2D([], [], marker="o", ls="", color=OKABE_ITO[0], label="trained on cells"),
        Line2D([], [], marker="o", ls="", mfc="white", color=INK, label="baseline"),
        Line2D([], [], **DASHED, label="best baseline"),
    ]
    figure.legend(handles=handles if hollow else handles[:1], loc="outside lower center", ncols=3)
    return figure


def _facet(
    axes: Axes, table: pd.DataFrame, names: list[str], hollow: set[str], confounder: bool
) -> None:
    best = table[table["embedding"].isin(hollow)]["value"].max()
    if not confounder and np.isfinite(best):
        axes.axvline(best, **DASHED, zorder=0)  # the line to beat
    for name, value, low, high in zip(
        table["embedding"], table["value"], table["low"], table["high"], strict=True
    ):
        y, base = names.index(name), name in hollow
        colour = INK if base else OKABE_ITO[0]
        axes.hlines(y, low, high, color=colour, lw=1.6)
        axes.plot(value, y, marker="o", ms=6, color=colour, mfc="white" if base else colour)
        right = high if np.isfinite(high) else value
        axes.annotate(
            number(value),
            (right, y),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
            # Parts the line to beat where it would run through the number.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
    axes.grid(axis="x")
    axes.margins(x=0.16)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(left=False)
    axes.set_xlabel("lower is better" if confounder else "higher is better")

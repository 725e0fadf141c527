"""Which treatments look alike, and how far each lies from the negative control."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform

from cellssl.columns import bare_name
from cellssl.phenotypes import Similarity
from cellssl.phenotypes.treatments.activity import call_active
from cellssl.report.figures.style import (
    FAINT,
    GREY,
    INK,
    OKABE_ITO,
    UNKNOWN,
    WIDEST,
    brief,
    category_colours,
    check_table,
    ends_of,
    legend_columns,
    literal,
    natural_order,
    new_figure,
    styled,
)

MOST_BARS = 40
MOST_NAMES = 200  # of more treatments rows are too low for names
CODES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def similarity_linkage(matrix: pd.DataFrame) -> np.ndarray:
    """Join treatments by average linkage of 1 − similarity, like leaves beside like.

    Parameters
    ----------
    matrix : (T, T) similarities, 1 for equal; missing ones count as the lowest that occurs; T ≥ 2

    Returns
    -------
    (T − 1, 4) linkage of scipy
    """
    values = matrix.to_numpy(float)
    lowest = np.nanmin(values) if np.isfinite(values).any() else 0.0
    values = np.where(np.isfinite(values), values, lowest)
    distance = np.clip(1 - (values + values.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    return linkage(
        squareform(distance, checks=False), method="average", optimal_ordering=len(matrix) <= 500
    )


def not_silent(names: Sequence[str] | pd.Index, active: "pd.Series[bool]") -> list[str]:
    """Leave out what cannot be told from the negative control: such treatments are alike, or not, by chance.

    All are left where fewer than two would be; those that could not be tested stay.
    """
    kept = [name for name in names if active.get(name, True)]
    return kept if len(kept) > 1 else list(names)


@styled
def similarity_heatmap(
    matrix: Similarity | pd.DataFrame,
    *,
    labels: "Mapping[str, str] | pd.Series | None" = None,
    label_name: str | None = None,
    colours: Mapping[str, str] | None = None,
    title: str = "Similarity of treatments",
) -> Figure:
    """Draw the treatment-by-treatment similarity, rows and columns in the order of its tree.

    Of more than 200 treatments it shows blocks, without names.

    Parameters
    ----------
    matrix : what :func:`cellssl.similarity` gives, of which the negative control is left out, and what cannot be
        told from it; or (T, T) similarities with treatments as index and columns
    labels : treatment → label (e.g. its mechanism of action) for the coloured strip; those that the
        similarity knows when left out. Each also has a letter, since nobody can tell more than seven
        colours apart for sure; of more than 52 there is no strip
    label_name : what the labels are, for the legend
    colours : label → colour, as other figures have it; by their order where none is given
    """
    if isinstance(matrix, Similarity):
        treated = matrix.treated
        labels = treated["label"] if labels is None else labels
        label_name = label_name or bare_name(matrix.label or "")
        names = not_silent(treated.index, call_active(treated))
        if silent := len(treated) - len(names):
            title = f"{title}\n({silent:,} not told from the negative control left out)"
        matrix = matrix.matrix.loc[names, names]
    check_table(matrix, "cellssl.similarity")
    count = len(matrix)
    tree = similarity_linkage(matrix) if count > 1 else None
    drawn = dendrogram(tree, no_plot=True) if tree is not None else {"leaves": [0]}
    order = list(drawn["leaves"])
    ordered = matrix.iloc[order, order]
    names = [str(name) for name in ordered.index]
    shown = _label_codes(names, labels)
    named = count <= MOST_NAMES
    # Inches; lower would make names unreadable.
    row = float(np.clip(6.4 / count, 0.135, 0.32)) if named else 8 / count
    font = min(row * 72 * 0.75, 9.0) if named else 7.5
    margin = 0.2 + max(len(brief(name)) for name in names) * font * 0.6 / 72 if named else 0.4
    side = float(np.clip(row * count, 1.6, WIDEST - 0.9 - margin))
    width, titles = max(0.9 + side + margin, 5.6), {label for label, _ in shown.values()}
    columns = legend_columns([*map(brief, titles)], width, handle=0.75)  # of colour and letter
    legend_rows = -(-len(titles) // columns)
    figure = new_figure(width, row * count + 1.0 + 0.19 * legend_rows)
    figure.set_layout_engine("constrained", wspace=0, w_pad=0.02)
    grid = figure.add_gridspec(1, 3, width_ratios=[0.55, 0.17 if shown else 0.01, side])
    if tree is not None:
        _tree(figure.add_subplot(grid[0]), drawn, count)
    heat = figure.add_subplot(grid[2])
    _heat(figure, heat, ordered)
    if named:
        heat.set_yticks(range(count), [brief(name) for name in names], fontsize=font)
    else:
        heat.set_ylabel(f"{count:,} treatments: too many to name here", rotation=270, va="bottom")
    heat.set_title(literal(title))
    if shown:
        strip = figure.add_subplot(grid[1], sharey=heat)
        alike = [list(run) for _, run in groupby(names, shown.get)]  # that follow each other
        runs = [[name] for name in names] if named else alike
        _strip(figure, strip, runs, shown, label_name or "label", font, colours, columns)
    return figure


def _label_codes(
    names: Sequence[str], labels: "Mapping[str, str] | pd.Series | None"
) -> dict[str, tuple[str, str]]:
    """Map each treatment to its label's (name, letter); empty when no treatment has one."""
    if labels is None or not len(labels):
        return {}
    own = {name: str(labels.get(name) or UNKNOWN) for name in names}
    known = [label for label in dict.fromkeys(own.values()) if label not in (UNKNOWN, "nan")]
    if not 0 < len(known) <= len(CODES):
        return {}
    codes = dict(zip(known, CODES, strict=False))
    return {name: (label, codes.get(label, "")) for name, label in own.items()}


def _heat(figure: Figure, axes: Axes, ordered: pd.DataFrame) -> None:
    values = np.ma.masked_invalid(ordered.to_numpy(float))
    off = values[~np.eye(len(ordered), dtype=bool)]
    signed = bool(off.size and off.min() < 0)
    # Red-blue keeps its sign for every kind of colour vision; without negative values one ramp
    # says more.
    colours, low = ("RdBu_r", -1.0) if signed else ("cividis", 0.0)
    image = axes.imshow(
        values, cmap=colours, vmin=low, vmax=1, aspect="auto", interpolation="nearest"
    )
    axes.set_facecolor(GREY)  # shows through where a similarity is missing
    axes.set_xticks([])
    axes.set_yticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, location="bottom", fraction=0.03, aspect=30, pad=0.02)
    bar.set_label("similarity (1 = alike" + (", 0 = unrelated, −1 = opposite)" if signed else ")"))


def _tree(axes: Axes, drawn: dict, count: int) -> None:
    """Draw the tree beside the rows: scipy counts leaves in tens, the picture in ones."""
    for along, depth in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        axes.plot(np.negative(depth), (np.asarray(along) - 5) / 10, color=FAINT, lw=0.8)
    axes.set_ylim(count - 0.5, -0.5)
    axes.margins(x=0.02)
    axes.set_axis_off()


def _strip(
    figure: Figure,
    axes: Axes,
    runs: list[list[str]],
    shown: dict[str, tuple[str, str]],
    label_name: str,
    font: float,
    colours: Mapping[str, str] | None,
    columns: int,
) -> None:
    """Draw the labels' colours, one bar for each run of treatments, with its letter where that has room."""
    labels = dict.fromkeys(label for label, _ in shown.values())
    given = colours or category_colours(natural_order(labels))
    colours = {label: given.get(label, GREY) for label in labels}
    edge, least = (0.4, 1) if len(shown) <= MOST_NAMES else (0.0, len(shown) * 0.014)
    first = 0
    for run in runs:
        label, code = shown[run[0]]
        middle = first + (len(run) - 1) / 2
        axes.barh(
            middle, 1, height=len(run), color=colours[label], edgecolor="white", linewidth=edge
        )
        if len(run) >= least:
            text = axes.text(0.5, middle, code, ha="center", va="center", fontsize=min(font, 7.5))
            text.set_color(_ink(colours[label]))
        first += len(run)
    axes.set_xlim(0, 1)
    axes.set_axis_off()
    codes = dict(shown.values())
    titles = {label: f"{code}  {label}" if code else label for label, code in codes.items()}
    handles = [Patch(color=colours[label], label=brief(titles[label])) for label in labels]
    where: dict[str, Any] = {"loc": "outside upper left", "alignment": "left", "columnspacing": 1.2}
    figure.legend(handles=handles, title=literal(label_name), ncols=columns, fontsize=8, **where)


def _ink(colour: str) -> str:
    """Choose black or white text for a background, by its luminance."""
    return "white" if np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.55 else INK


@styled
def activity_figure(activity: Similarity | pd.Series, *, active: pd.Series | None = None) -> Figure:
    """Draw how far each treatment lies from the negative control, the farthest on top.

    Of more than 40 the strongest and, as many, the weakest.

    Parameters
    ----------
    activity : what :func:`cellssl.similarity` gives; or treatment → distance (larger = stronger)
    active : treatment → told apart from the control (True), or not (False: drawn hollow); what the
        similarity says when left out
    """
    if isinstance(activity, Similarity):
        treated = activity.treated
        told = call_active(treated) if active is None else active
        activity, active = treated["activity"], None if told.empty else told
    check_table(activity, "cellssl.similarity")
    ranked, rows, note = ends_of(activity.dropna().sort_values(), MOST_BARS)
    figure = new_figure(7.6, 0.9 + 0.19 * max(len(ranked), 3))
    axes = figure.add_subplot()
    told = (
        pd.Series(True, ranked.index)
        if active is None
        else active.reindex(ranked.index, fill_value=False).astype(bool)
    )
    face = [OKABE_ITO[0] if flag else "white" for flag in told]
    axes.barh(rows, ranked, color=face, edgecolor=OKABE_ITO[0], height=0.68, linewidth=0.9)
    axes.set_yticks(rows, [brief(name) for name in ranked.index])
    axes.set_ylim(-0.7, (rows[-1] if len(rows) else 0) + 0.7)
    axes.text(0, MOST_BARS // 2, note, va="center", fontsize=8.5, color=FAINT)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_xlabel("distance from the negative control (1 = one control well)")
    if not told.all():
        handles = [
            Patch(fc=OKABE_ITO[0], ec=OKABE_ITO[0], label="differs from the negative control"),
            Patch(fc="white", ec=OKABE_ITO[0], label="not told apart"),
        ]
        # Outside: bars may be anywhere inside.
        figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure

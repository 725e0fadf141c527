"""Figures of studies: what a sweep does, what each class gains and loses, which trade off."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import leaves_list, linkage

from cellssl.errors import EmbeddingError, nearest
from cellssl.phenotypes.evaluation.metrics import ANSWERS, TITLES
from cellssl.report.figures.style import (
    INK,
    OKABE_ITO,
    SLANTED,
    WIDEST,
    legend_below,
    literal,
    new_figure,
    styled,
    write_values,
)

_MOST_CHANGES = 16  # classes whose names and numbers are read beside each other
_MOST_CORRELATED = 40


@styled
def sweep_figure(scores: pd.DataFrame, axis: str, *, metrics: Sequence[str] = ANSWERS) -> Figure:
    """Draw scores against the values of one axis, a line for each combination of the others.

    Parameters
    ----------
    scores : DataFrame
        axis (numbers), series, metric, value, low, high.
    axis : str
        The column of the values; it names the axis.
    metrics : sequence
        One panel each.
    """
    figure = new_figure(WIDEST, 2.9)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        own = scores[scores["metric"] == metric]
        for number, (name, rows) in enumerate(own.groupby("series", sort=False)):
            ordered = rows.sort_values(axis)
            colour = OKABE_ITO[number % len(OKABE_ITO)]
            axes.plot(
                ordered[axis], ordered["value"], "o-", color=colour, label=literal(name), ms=4
            )
            axes.fill_between(
                ordered[axis], ordered["low"], ordered["high"], color=colour, alpha=0.15, lw=0
            )
        axes.set_title(TITLES.get(metric, metric))
        axes.set_xlabel(literal(axis))
        axes.grid(axis="y")
    if len(scores["series"].unique()) > 1:
        legend_below(figure, panels[0])
    return figure


@styled
def class_sweep_figure(accuracies: pd.DataFrame, axis: str) -> Figure:
    """Draw the accuracy of each class against the values of one axis, a panel per classifier.

    Of more than 16 classes those that move most in any panel.

    Parameters
    ----------
    accuracies : DataFrame
        classifier, class, axis (numbers), accuracy.
    axis : str
        The column of the values; it names the axis.
    """
    classifiers = list(dict.fromkeys(accuracies["classifier"]))
    names = list(dict.fromkeys(accuracies["class"]))
    title = ""
    if (count := len(names)) > _MOST_CHANGES:
        spread = accuracies.groupby(["class", "classifier"])["accuracy"].agg(np.ptp)
        moved = spread.groupby("class").max().nlargest(_MOST_CHANGES).index
        names = [name for name in names if name in moved]
        title = f"the {_MOST_CHANGES} of {count} classes that move most"
    figure = new_figure(WIDEST, 3.2)
    panels = figure.subplots(1, len(classifiers), squeeze=False, sharey=True)[0]
    for axes, classifier in zip(panels, classifiers, strict=True):
        own = accuracies[accuracies["classifier"] == classifier]
        for number, name in enumerate(names):
            rows = own[own["class"] == name].sort_values(axis)
            colour = OKABE_ITO[number % len(OKABE_ITO)]
            dashes = ("-", "--", ":", "-.")[number // len(OKABE_ITO) % 4]
            look = {"color": colour, "ls": dashes, "marker": "o", "ms": 3, "label": literal(name)}
            axes.plot(rows[axis], rows["accuracy"], **look)
        axes.set_title(TITLES.get(classifier, classifier))
        axes.set_xlabel(literal(axis))
        axes.grid(axis="y")
    panels[0].set_ylabel("accuracy")
    legend_below(figure, panels[0], title=title)
    return figure


@styled
def class_change_figure(
    table: pd.DataFrame,
    *,
    reference: str,
    apart: pd.DataFrame | None = None,
    classifier: str | None = None,
) -> Figure:
    """Draw what each class gains or loses against one setting: settings × classes.

    Of more than 16 classes those that change most in any setting.

    Parameters
    ----------
    table : DataFrame (S, K)
        Accuracy of each class in each setting.
    reference : str
        The setting whose accuracies are subtracted; it is shown as it is, below.
    apart : DataFrame (S, K), optional
        Which changes are told from none: they are framed.
    classifier : str, optional
        Whose accuracy it is, for the title.

    Raises
    ------
    EmbeddingError
        When no class was scored, or not in the reference.
    """
    if table.empty:
        raise EmbeddingError(
            "no class could be scored, so that none gains or loses: the column note of the scores says why."
        )
    if reference not in table.index:
        raise EmbeddingError(
            f"no setting of the table is called {reference!r}{nearest(reference, table.index)}."
        )
    base = table.loc[reference]
    change = table.drop(index=reference) - base
    by = "" if classifier is None else f" ({TITLES[classifier]})"
    title = f"Accuracy of each class{by}, less that of {literal(reference)} (below each class)"
    if (classes := change.shape[1]) > _MOST_CHANGES:
        most_changed = change.abs().max().nlargest(_MOST_CHANGES).index
        change = change.loc[:, change.columns.isin(most_changed)]
        base = base[change.columns]
        title += f": the {_MOST_CHANGES} of {classes} that change most"
    figure = new_figure(WIDEST, 0.34 * len(change) + 2.3)
    axes = figure.subplots()
    most = max(float(np.nanmax(np.abs(change.to_numpy()), initial=0.0)), 0.05)
    picture = axes.imshow(change, cmap="PuOr_r", vmin=-most, vmax=most, aspect="auto")
    write_values(axes, change.to_numpy(float), "{:+z.2f}", white=0.6 * most)
    if apart is not None:
        for row, column in np.argwhere(apart.reindex_like(change).eq(True)).tolist():
            corner = (column - 0.48, row - 0.46)
            axes.add_patch(Rectangle(corner, 0.96, 0.92, fill=False, edgecolor=INK, lw=1.3))
    axes.set_yticks(range(len(change)), [literal(name) for name in change.index])
    firsts = base.to_numpy(dtype=float).tolist()
    heads = [f"{literal(n)}\n{v:.2f}" for n, v in zip(change.columns, firsts, strict=True)]
    axes.set_xticks(range(len(heads)), heads, **SLANTED)
    axes.set_title(title)
    figure.colorbar(picture, ax=axes, label="gain or loss", shrink=0.8)
    return figure


@styled
def correlation_map(correlations: pd.DataFrame, *, value: str = "spearman") -> Figure:
    """Draw correlations between classes, like with like; those with q < 0.05 are marked.

    Of more than 40 classes those with the most negative ones, which trade off.

    Parameters
    ----------
    correlations : DataFrame
        As `cellssl.studies.class_correlations` gives it.
    value : str
        ``spearman`` or ``pearson``.
    """
    names = list(dict.fromkeys([*correlations["class_a"], *correlations["class_b"]]))
    place = {name: index for index, name in enumerate(names)}
    matrix, sure = np.eye(len(names)), np.zeros((len(names), len(names)), dtype=bool)
    for row in correlations.itertuples():
        a, b = place[row.class_a], place[row.class_b]
        matrix[a, b] = matrix[b, a] = getattr(row, value)
        sure[a, b] = sure[b, a] = getattr(row, f"q_{value}") < 0.05
    if (classes := len(names)) > _MOST_CORRELATED:
        against = np.nansum(np.minimum(matrix, 0), axis=0)
        kept = np.sort(against.argsort(kind="stable")[:_MOST_CORRELATED])
        names = [names[index] for index in kept]
        matrix, sure = matrix[np.ix_(kept, kept)], sure[np.ix_(kept, kept)]
    near = np.nan_to_num(1 - matrix[np.triu_indices(len(names), 1)], nan=1.0)
    order = (
        leaves_list(linkage(near, "average", optimal_ordering=True)) if len(names) > 2 else [0, 1]
    )
    figure = new_figure(0.42 * len(names) + 3.4, 0.36 * len(names) + 2.2)
    axes = figure.subplots()
    shown = matrix[np.ix_(order, order)]
    picture = axes.imshow(shown, cmap="PuOr_r", vmin=-1, vmax=1)
    for row, column in zip(*np.nonzero(sure[np.ix_(order, order)]), strict=True):
        shade = "white" if abs(shown[row, column]) > 0.6 else "black"
        axes.text(column, row, "•", ha="center", va="center", color=shade)
    labels = [literal(names[index]) for index in order]
    axes.set_xticks(range(len(labels)), labels, **SLANTED)
    axes.set_yticks(range(len(labels)), labels)
    if classes > len(names):
        axes.set_title(f"The {len(names)} of {classes} classes that trade off most")
    figure.colorbar(picture, ax=axes, label=f"{value.capitalize()} correlation", shrink=0.8)
    return figure


@styled
def explanation_figure(explained: pd.DataFrame) -> Figure:
    """Draw how much clusters follow the label and each property: embeddings × properties.

    Parameters
    ----------
    explained : DataFrame
        embedding, property, ami, explained, as `cellssl.studies.Contents` has them.
    """
    names = list(dict.fromkeys(explained["embedding"]))
    heads = list(dict.fromkeys(explained["property"]))
    figure = new_figure(WIDEST, 0.34 * len(names) + 2.0)
    panels = figure.subplots(1, 2, sharey=True)
    titles = {"ami": "AMI of clusters", "explained": "Variance explained by clusters"}
    for axes, (measure, title) in zip(panels, titles.items(), strict=True):
        table = explained.pivot_table(
            index="embedding", columns="property", values=measure, dropna=False
        )
        shown = table.reindex(index=names, columns=heads).dropna(axis=1, how="all")
        values = shown.to_numpy(dtype=float)
        most = max(float(np.nanmax(values, initial=0.0)), 0.05)
        axes.imshow(values, cmap="Purples", vmin=0, vmax=most, aspect="auto")
        write_values(axes, values, "{:z.2f}", white=0.6 * most)
        axes.set_xticks(range(shown.shape[1]), [literal(head) for head in shown], **SLANTED)
        axes.set_yticks(range(len(names)), [literal(name) for name in names])
        axes.set_title(title)
    return figure

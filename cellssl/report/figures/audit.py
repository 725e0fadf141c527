"""What operations erase: contrasts × operations."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import PercentFormatter

from cellssl.report.figures.style import (
    OKABE_ITO,
    SLANTED,
    literal,
    new_figure,
    styled,
    write_values,
)

_MOST_PAIRS = 16
_MOST_CLASSES = 40


@styled
def audit_figure(
    operations: pd.DataFrame, classes: pd.DataFrame, contrasts: pd.DataFrame, *, title: str
) -> Figure:
    """Draw the share that each operation erases, at full amplitude, in the first reference.

    Three maps over the same operations, the costliest on the left: what nuisances differ by (to be
    erased), what each class keeps apart from others by (of more than 40 classes those that lose most),
    and the contrasts that lose most.

    Parameters
    ----------
    operations : DataFrame
        reference, operation, share, amplitude, cost, and columns ``bridged NUISANCE``.
    classes : DataFrame
        reference, operation, share, class, lost; may be empty.
    contrasts : DataFrame
        reference, operation, share, class_a, class_b, lost; may be empty.
    """
    first = operations["reference"].iloc[0]
    full = _full(operations, first)
    order = full.sort_values("cost", ascending=False, kind="stable").index
    names = _case_names(full).loc[order]
    # A nuisance that no class has two values of cannot be told from classes: there is nothing to show.
    bridged = full.loc[order].filter(like="bridged ").T.dropna(how="all")
    bridged.index = [f"{name.removeprefix('bridged ')} (bridged)" for name in bridged.index]
    maps = {"What should go": bridged}
    own = classes if classes.empty else _full(classes, first)  # another reference may tell more
    if own.empty:
        cost = full.loc[order, "cost"].to_frame("cost").T
        maps["What tells cells apart"] = cost.dropna(how="all")  # no contrast, nothing to lose
    else:
        each = _matrix(own, ["class"], full, order)
        kept, name = each, "What tells each class apart, mean over others"
        if len(each) > _MOST_CLASSES:
            kept = _worst(each, _MOST_CLASSES)
            name = f"{name}: the {_MOST_CLASSES} of {len(each)} that lose most"
        maps[name] = kept
        pairs = _matrix(_full(contrasts, first), ["class_a", "class_b"], full, order)
        maps["Contrasts that lose most"] = _worst(pairs, _MOST_PAIRS)
    maps = {name: one for name, one in maps.items() if len(one)}
    if not maps:
        return _nothing(title)
    heights = [len(one) for one in maps.values()]
    figure = new_figure(5.2 + 0.62 * len(order), 0.27 * sum(heights) + 0.7 * len(maps) + 1.9)
    panels = figure.subplots(len(maps), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (name, one) in zip(panels, maps.items(), strict=True):
        good = name == "What should go"
        picture = _draw(axes, one, name, colours="Greens" if good else "OrRd")
        axes.set_xticks([])
    panels[-1].set_xticks(range(len(names)), [literal(n) for n in names], **SLANTED)
    percent = PercentFormatter(1, symbol="")  # as the squares have it
    figure.colorbar(
        picture, ax=panels, label="% erased (green: bridged)", format=percent, shrink=0.5
    )
    figure.suptitle(literal(title), x=0.01, ha="left", fontweight="bold")
    return figure


def _nothing(title: str) -> Figure:
    """Say that there is nothing to draw."""
    figure = new_figure(6.4, 1.2)
    figure.text(0.01, 0.4, "No contrast is seen in these cells, and no nuisance: nothing to draw.")
    figure.suptitle(literal(title), x=0.01, ha="left", fontweight="bold")
    return figure


def _full(table: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Choose what was measured at full amplitude in one reference."""
    return table[(table["reference"] == reference) & (table["share"] == 1.0)].reset_index(drop=True)


def _case_names(full: pd.DataFrame) -> pd.Series:
    """Name each operation; those that stand there twice by their amplitude too."""
    twice = full["operation"].duplicated(keep=False)
    return full["operation"].where(~twice, full["operation"] + " " + full["amplitude"])


def _matrix(
    table: pd.DataFrame, keys: list[str], full: pd.DataFrame, order: pd.Index
) -> pd.DataFrame:
    """Lay losses out as rows × operations; each operation has every row, in its own order."""
    rows = len(table) // len(full)
    values = table["lost"].to_numpy().reshape(len(full), rows)[order].T
    texts = table[keys].iloc[:rows].agg(" against ".join, axis=1)
    return pd.DataFrame(values, index=list(texts))


def _worst(losses: pd.DataFrame, most: int) -> pd.DataFrame:
    """Keep the rows that lose most to any operation, those first."""
    rank = np.argsort(-losses.max(axis=1).to_numpy(), kind="stable")
    return losses.iloc[rank[:most]]


def _draw(axes: Axes, shares: pd.DataFrame, title: str, *, colours: str) -> AxesImage:
    """Draw one map, with percentages from 5 % on."""
    picture = axes.imshow(shares.to_numpy(float), cmap=colours, vmin=0, vmax=1, aspect="auto")
    write_values(axes, 100 * shares.to_numpy(float), "{:.0f}", white=60, least=5)
    axes.set_yticks(range(len(shares)), [literal(name) for name in shares.index])
    axes.set_title(title)
    return picture


@styled
def invariance_figure(operations: pd.DataFrame, contrasts: pd.DataFrame, *, title: str) -> Figure:
    """Draw how far operations move cells in a reference and in an encoder, and their contrasts.

    Parameters
    ----------
    operations : DataFrame
        operation, amplitude, moved_reference, moved_encoder.
    contrasts : DataFrame
        predicted, encoder (d'); without rows its panel is left out.
    """
    panels = 1 if contrasts.empty else 2
    figure = new_figure(5.4 * panels, 0.34 * len(operations) + 1.9)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    places = np.arange(len(operations))[::-1]
    for shift, name, colour in ((0.2, "reference", OKABE_ITO[5]), (-0.2, "encoder", OKABE_ITO[1])):
        label = "reference, before training" if name == "reference" else "trained encoder"
        axes[0].barh(places + shift, operations[f"moved_{name}"], 0.38, color=colour, label=label)
    axes[0].set_yticks(places, [literal(n) for n in _case_names(operations)])
    axes[0].set_xlabel("moved (two cells lie 1 apart)")
    axes[0].set_title("How far a view moves a cell")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    if panels == 2:
        axes[1].scatter(contrasts["predicted"], contrasts["encoder"], s=14, color=OKABE_ITO[0])
        axes[1].set_xlabel("predicted d', after the whole view")
        axes[1].set_ylabel("d' in the trained encoder")
        for along, name in (("x", "predicted"), ("y", "encoder")):  # from 0: one pair spans nothing
            axes[1].set(**{f"{along}lim": (-0.05, 1.1 * max(1.0, contrasts[name].max()))})
        axes[1].set_title("Contrasts between two classes")
    figure.suptitle(literal(title), x=0.01, ha="left", fontweight="bold")
    return figure

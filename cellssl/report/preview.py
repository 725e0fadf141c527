"""Looking at a protocol before anything is trained."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cellssl.arguments import whole_numbers
from cellssl.columns import CONTROL
from cellssl.crops import Crops, Scaling, fit_scaling
from cellssl.errors import CellsslError
from cellssl.phenotypes import choose_label, usual_label
from cellssl.phenotypes.controls import is_negative
from cellssl.report.figures.preview import PreviewGroup, preview_figure
from cellssl.report.figures.style import natural_order, save_figure

if TYPE_CHECKING:
    import torch

    from cellssl.augment import Operation, View
    from cellssl.protocols import Protocol


STRENGTHS = {"⅓": 1 / 3, "⅔": 2 / 3, "full": 1.0}
CANDIDATES = 200  # cells of a class among which the most typical one is looked for


@whole_numbers(cells=1, draws=1, seed=0)
def preview(
    protocol: "Protocol | str | Path",
    crops: Crops | str | Path,
    out: str | Path | None = None,
    *,
    beside: "Protocol | str | Path | None" = None,
    label: str | None = None,
    cells: int = 5,
    draws: int = 6,
    seed: int = 0,
) -> Figure:
    """Draw what a protocol does to cells: every operation by itself, then whole views.

    Rows are cells of different labels, of each those nearest to its label's median brightness.
    Columns are the cells as they are; each operation alone at a third, two thirds and all of its
    amplitude (once, where it has none); then views as training draws them. With a second protocol, or
    several groups of views, the whole views of each, and what each makes the encoder blind to.

    Parameters
    ----------
    protocol
        A protocol, its name or its file.
    crops
        The crop file.
    out
        Where the picture is written (.png, .pdf, .svg); nowhere without. In Jupyter the figure
        that is returned shows itself.
    beside
        A second protocol, to compare whole views with.
    label
        Column whose values the cells are chosen from; the usual ones by default, any cells where
        there is none.
    cells
        Rows.
    draws
        Whole views of each kind.
    seed
        Of the draws.

    Raises
    ------
    ProtocolError
        When the protocol does not fit the crops.
    CellsslError
        When there are no cells.

    Examples
    --------
    >>> preview("bbbc021-expert", "crops.h5ad", "preview.png", label="MOA")  # doctest: +SKIP
    """
    from cellssl.protocols import expand_groups, resolve

    crops = Crops.open(crops)
    if not len(crops):
        raise CellsslError(f"{crops.path} holds no cells: there is nothing to preview.")
    rows, names = _choose(crops, label, cells, seed)
    given = [resolve(one) for one in (protocol, beside) if one is not None]
    shown = [
        _Batch(group, crops, rows, seed) for one in given for group in expand_groups(one).values()
    ]
    title = " beside ".join(one.name for one in given)
    if len(shown) == 1:
        if given[0].description:
            title += f": {given[0].description}"
        groups = [*shown[0].operations(), *shown[0].whole_views(draws)]
    else:
        if shown[-1].channels != shown[0].channels:
            raise CellsslError(
                f"{given[0].name} shows {', '.join(shown[0].channels)}, {given[1].name} "
                f"{', '.join(shown[-1].channels)}: they cannot be drawn beside each other"
            )
        groups = [batch.summary(draws) for batch in shown]
    figure = preview_figure(names, shown[0].unchanged(), groups, shown[0].channels, title=title)
    if out is not None:
        save_figure(figure, out, dpi=200)
    return figure


class _Batch:
    """The chosen cells, scaled as a protocol says, and what its operations make of them."""

    def __init__(self, protocol: "Protocol", crops: Crops, rows: np.ndarray, seed: int) -> None:
        import torch

        from cellssl.protocols import choose_channels, require_fit
        from cellssl.protocols.building import build_each
        from cellssl.protocols.describing import view_labels

        require_fit(
            protocol, channels=crops.channels, stored_size=crops.size, masks=crops.mask_names
        )
        self.protocol, self.seed = protocol, seed
        self.channels = choose_channels(protocol, crops.channels)
        each = build_each(protocol, self.channels, crops.mask_names)
        first = np.cumsum([0, *(recipe.count for recipe in protocol.views)])  # as training counts
        self.views = [
            (view, label, int(number))
            for view, label, number in zip(each, view_labels(protocol), first, strict=False)
        ]
        fitted = fit_scaling(crops, Scaling(**protocol.crop.scaling.model_dump()))
        self.images = torch.from_numpy(fitted.read(crops, rows, channels=self.channels))
        masks = crops.masks(rows)
        self.masks = None if masks is None else torch.from_numpy(masks)
        self.samples = torch.arange(len(rows))

    def unchanged(self) -> PreviewGroup:
        """Cut the middle out."""
        from cellssl.augment import View

        image = self._make(View([], self.protocol.crop.size))
        return PreviewGroup("cell", "", ("",), image[None])

    def operations(self) -> list[PreviewGroup]:
        """Apply every operation alone, those that views share once."""
        groups: list[PreviewGroup] = []
        seen: list[Operation] = []
        for view, label, number in self.views:
            new = [op for op in view.operations if not op.idle and op not in seen]
            which = f" (view {label})" if number else ""
            groups += [self._operation(operation, view, which) for operation in new]
            seen += new
        return groups

    def _operation(self, operation: "Operation", view: "View", which: str) -> PreviewGroup:
        """Apply one operation at rising amplitude; once where that makes no difference."""
        from cellssl.protocols.describing import amplitude

        alone = view.made_of([operation])
        made = {name: self._make(alone, strength=share) for name, share in STRENGTHS.items()}
        full = made["full"]
        if all(np.array_equal(images, full) for images in made.values()):
            made = {"": full}
        details = ", ".join(filter(None, [amplitude(operation), f"p\u00a0{operation.p:g}"]))
        return PreviewGroup(
            operation.name + which, details, tuple(made), np.stack([*made.values()])
        )

    def whole_views(self, draws: int) -> list[PreviewGroup]:
        """Draw whole views, one epoch after the other."""
        names = tuple(f"draw {epoch + 1}" for epoch in range(draws))
        groups = []
        for view, label, number in self.views:
            images = [self._make(view, epoch, number=number) for epoch in range(draws)]
            title = "whole views" if len(self.views) == 1 else f"view {label}"
            groups.append(PreviewGroup(title, "as training draws them", names, np.stack(images)))
        return groups

    def summary(self, draws: int) -> PreviewGroup:
        """Draw the views of a step in turn, under the protocol's name and what it forgets."""
        some = [self.views[draw % len(self.views)] for draw in range(draws)]
        images = [self._make(view, draw, number=n) for draw, (view, _, n) in enumerate(some)]
        forgets = dict.fromkeys(
            op.invariance for view, *_ in self.views for op in view.operations if not op.idle
        )
        # Each only by its amplitude.
        blind = f"makes the encoder blind, as far as these views differ, to {', '.join(forgets)}"
        details = blind if forgets else ""
        return PreviewGroup(self.protocol.name, details, ("",) * draws, np.stack(images))

    def _make(
        self, view: "View", epoch: int = 0, *, number: int = 0, strength: float | None = None
    ) -> np.ndarray:
        from cellssl.augment import make_keys

        keys = make_keys(self.seed, epoch, self.samples, number)
        made: torch.Tensor = view(self.images, keys, masks=self.masks, strength=strength)
        return made.numpy()


def _choose(crops: Crops, label: str | None, cells: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Choose rows of the crop file and name them: a typical cell of each of several labels."""
    column = usual_label(crops.obs) if label is None else choose_label(crops.obs, label)
    generator = np.random.default_rng(seed)
    if column is None:
        rows = np.sort(generator.permutation(len(crops))[:cells])
        return rows, [str(name) for name in crops.obs.index[rows]]
    values = crops.obs[column]
    known = values[values.notna() & (values.astype(str) != "")].astype(str)
    if known.empty:
        raise CellsslError(f"{column} is empty for all cells; choose another column with --label")
    labels = natural_order(known)
    untouched = set(known[is_negative(crops.obs.loc[known.index], CONTROL)])
    labels.sort(key=lambda name: name not in untouched)  # what nothing was done to comes first
    spread = np.linspace(0, len(labels) - 1, min(cells, len(labels))).round().astype(int)
    chosen = [labels[place] for place in spread]
    count = max(cells // len(chosen), 1)
    found = [_typical(crops, values.astype(str) == name, count, generator) for name in chosen]
    names = [name for name, some in zip(chosen, found, strict=True) for _ in some]
    return np.concatenate(found), names


def _typical(
    crops: Crops, members: pd.Series, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Find the cells nearest to the median of their kind's brightness: neither debris nor faults."""
    there = np.flatnonzero(members.to_numpy())
    some = np.sort(generator.permutation(there)[:CANDIDATES])
    brightness = np.log1p(crops.read(some).astype(np.float64).mean(axis=(2, 3)))
    far = np.abs(brightness - np.median(brightness, axis=0)).sum(axis=1)
    return some[np.argsort(far, kind="stable")[:count]]

"""The cells that an audit looks at, before and after what is done to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cellssl.augment import View, make_keys
from cellssl.columns import PLATE
from cellssl.crops import Crops, FittedScaling, fit_scaling
from cellssl.datasets import CropSource
from cellssl.errors import StudyError
from cellssl.phenotypes import choose_label
from cellssl.phenotypes.columns import text_values, well_names
from cellssl.protocols import Protocol, choose_channels, require_fit
from cellssl.sampling import chosen_cells, sample_wells
from cellssl.studies.audit.cases import Case
from cellssl.studies.audit.references import Reference
from cellssl.studies.audit.separation import Groups
from cellssl.studies.sight import scaling_rule
from cellssl.words import listed

_PLACES = 16  # along a side
_PEAKS = 0.98  # of the pixels are darker
_A_WELL = 8  # cells of a well, at least, where wells are told apart


@dataclass(frozen=True)
class Cells:
    """Cells of a crop file, scaled as a protocol says.

    Attributes
    ----------
    images : (N, C, S, S) float32
        Stored crops in [0, 1].
    masks : (N, M, S, S) uint8 or None
        Where the crops have them.
    samples : (N,) int64
        Their stable numbers, on which draws depend.
    obs : DataFrame (N rows)
        Their table.
    channels : tuple of str
        Names of the C channels.
    """

    images: Tensor
    masks: Tensor | None
    samples: Tensor
    obs: pd.DataFrame
    channels: tuple[str, ...]

    def unchanged(
        self, view: View, references: Sequence[Reference]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Measure the cells as they are embedded: reference → (N, D)."""
        images = self._make(view.made_of([]), 0, 0)
        return {one.name: one.measure(images) for one in references}

    def moved(
        self, case: Case, references: Sequence[Reference], *, draws: int, seed: int = 0
    ) -> Mapping[str, NDArray[np.float64]]:
        """Measure the cells after a case: reference → (draws × views, N, D)."""
        made: dict[str, list[NDArray[np.float64]]] = {one.name: [] for one in references}
        for draw in range(draws):
            for number, view in enumerate(case.views):
                images = self._make(view, draw, number, seed)
                for reference in references:
                    made[reference.name].append(reference.measure(images))
        return {name: np.stack(parts) for name, parts in made.items()}

    def kept(self, case: Case, *, draws: int, seed: int = 0) -> float:
        """Say how often what a view shows stays exactly as it is, at worst, in channels that change.

        The least of all channels and places, and of the brightest pixels: 0 for what always reaches
        some part of a cell, or all of a channel; near 1 for what hides now this part and now that, or
        blanks a channel now and then. NaN where nothing changes.
        """
        same, lit = [], []
        for number, view in enumerate(case.views):
            before = self._make(view.made_of([]), 0, 0)
            bright = before >= _brightest(before)
            flat = before.amax((2, 3), keepdim=True) == before.amin((2, 3), keepdim=True)
            for draw in range(draws):
                after = self._make(view, draw, number, seed)
                equal = after == before
                changed = ~equal.all(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
                blank = after.amax((2, 3), keepdim=True) == after.amin((2, 3), keepdim=True)
                blank &= changed & ~flat
                # Most of what changes goes blank while other channels stay: channels are what is hidden.
                hides = (blank & ~changed.all(dim=1, keepdim=True)).sum() > changed.sum() / 2
                light = (before > 0) & (changed | hides)
                same.append(torch.stack([_places(light & equal), _places(light & bright & equal)]))
                lit.append(torch.stack([_places(light), _places(light & bright)]))
        every, stay = (torch.stack(each).sum(dim=0) for each in (lit, same))
        if not every.any():
            return float("nan")
        anywhere, peaks = stay[0] / every[0], stay[1].sum() / every[1].sum()
        return float(torch.minimum(anywhere[every[0] > 0].min(), peaks))

    def _make(self, view: View, draw: int, number: int, seed: int = 0) -> Tensor:
        keys = make_keys(seed, draw, self.samples, number)
        made: Tensor = view(self.images, keys, masks=self.masks)
        return made


def _places(pixels: Tensor) -> Tensor:
    """Count true pixels (N, C, H, W) in each sixteenth of the sides: (C, 16, 16)."""
    return nn.functional.adaptive_avg_pool2d(pixels.double().sum(dim=0), _PLACES)


def _brightest(images: Tensor) -> Tensor:
    """Give the level from which on lie the brightest pixels of each channel: (N, C, 1, 1)."""
    flat = images.flatten(2)
    rank = max(1, int(_PEAKS * flat.shape[2]))
    level, _ = flat.kthvalue(rank, dim=2)
    return level[..., None, None]


def open_cells(
    protocol: Protocol,
    crops: Crops | str | Path,
    *,
    label: str | None = None,
    cells: int,
    where: str | None = None,
    plates: Sequence[str] | None = None,
    scaling: FittedScaling | None = None,
) -> tuple[Cells, str | None]:
    """Read a sample of cells: with a label as many of each class, else evenly over the wells.

    Parameters
    ----------
    label
        Column of the classes; cells without one are left out.
    cells
        How many in all, at most.
    where
        A true/false column: only cells where it is true.
    plates
        Only cells of these plates.
    scaling
        Scaling that is fitted already; else the protocol's, fitted to all crops.

    Returns
    -------
    Cells, str or None
        And the label's column.

    Raises
    ------
    StudyError
        When no cells, or fewer than two classes, are left.
    ProtocolError
        When the protocol does not fit the crops.
    """
    crops = Crops.open(crops)
    require_fit(protocol, channels=crops.channels, stored_size=crops.size, masks=crops.mask_names)
    channels = choose_channels(protocol, crops.channels)
    column = None if label is None else choose_label(crops.obs, label)
    rows = _choose(crops.obs, column, cells, where, plates)
    fitted = fit_scaling(crops, scaling_rule(protocol)) if scaling is None else scaling
    source = CropSource(crops, fitted, rows=rows, channels=channels)
    masks = torch.from_numpy(crops.masks(rows)) if crops.mask_names else None
    images = source.gather(torch.arange(len(source)))
    return Cells(images, masks, source.samples, source.obs, channels), column


def left_out(
    obs: pd.DataFrame, column: str, *, where: str | None = None, plates: Sequence[str] | None = None
) -> dict[str, int]:
    """Count the cells that no contrast is made of: class ("" where there is none) → cells.

    They have no label, or are the only one that has it.
    """
    values = pd.Series(text_values(obs[column], column)[_asked_for(obs, where, plates)])
    counts = {str(name): int(n) for name, n in values.value_counts().items()}
    return {name: n for name, n in counts.items() if not name or n < 2}


def _asked_for(
    obs: pd.DataFrame, where: str | None, plates: Sequence[str] | None
) -> NDArray[np.bool_]:
    """Tell which cells are to be looked at at all."""
    kept = np.ones(len(obs), bool) if where is None else chosen_cells(obs, where)
    if not plates:
        return kept
    if PLATE not in obs:
        raise StudyError("the cells have no Metadata_Plate: plates cannot be chosen among them")
    own = obs[PLATE].astype(str)
    missing = sorted(set(plates) - set(own))
    if missing:
        there = listed(sorted(set(own)), most=5)
        raise StudyError(f"the cells have no plate {', '.join(missing)}; there are {there}")
    return kept & own.isin(list(plates)).to_numpy()


def _choose(
    obs: pd.DataFrame,
    column: str | None,
    cells: int,
    where: str | None,
    plates: Sequence[str] | None,
) -> NDArray[np.int64]:
    """Choose rows, rising."""
    kept = _asked_for(obs, where, plates)
    rows = np.flatnonzero(kept)
    if len(rows) < 3:
        raise StudyError(f"an audit needs some dozens of cells, and {len(rows)} are left")
    if column is None:
        rows = rows[_in_some_wells(obs.iloc[rows], max(2, cells // _A_WELL))]
        return rows[sample_wells(obs.iloc[rows], cells)]
    values = text_values(obs[column], column)
    names = Groups.of(np.where(kept, values, "")).names
    if len(names) < 2:
        raise StudyError(
            f"{column} has {len(names)} value{'s' * (len(names) != 1)} with two of these cells or more, "
            "and a contrast is between two: choose another column with --label (`protocols audit` does without one)"
        )
    chosen = []
    for name in names:
        rows = np.flatnonzero(kept & (values == name))
        chosen.append(rows[sample_wells(obs.iloc[rows], max(2, cells // len(names)))])
    return np.sort(np.concatenate(chosen))


def wells_of(obs: pd.DataFrame) -> "pd.Series[str]":
    """Name each cell's well, ``plate/well``; nothing where wells are not known."""
    names = well_names(obs)
    return pd.Series("" if names is None else names, index=obs.index)


def _in_some_wells(obs: pd.DataFrame, most: int) -> NDArray[np.bool_]:
    """Tell which cells lie in one of so many wells; all where wells are not known.

    Wells are compared within plates: two or more are taken of each plate, the fullest, and of many
    plates those whose second well is the fullest.
    """
    wells = wells_of(obs)
    table = wells.value_counts(sort=True).rename_axis("well").reset_index(name="cells")
    table["plate"] = table["well"].str.rpartition("/")[0]
    table["turn"] = table.groupby("plate").cumcount()
    second = table[table["turn"] == 1].head(max(1, most // 2))["plate"]
    if len(second):
        table = table[table["plate"].isin(second)].sort_values("turn", kind="stable")
    return wells.isin(table["well"][:most]).to_numpy()

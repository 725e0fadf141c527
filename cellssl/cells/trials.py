"""A finished field judged, in whatever process: which of its cells are kept, and why others are not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellssl.cells.parts import Part
from cellssl.cells.quality.judging import REASONS, judge_cells, judge_field
from cellssl.cells.quality.measures import MEASURES
from cellssl.cells.quality.usual import Usual
from cellssl.crops.placing import StoredPixels

#: What is said of a cell, "" of a good one.
VERDICTS = np.array(["", *REASONS], dtype=object)


@dataclass(frozen=True, eq=False, slots=True)
class Trial:
    """What is needed to judge a field.

    Attributes
    ----------
    number : int
        The field's.
    path : Path
        Its part.
    facts : void
        The field's, see `cellssl.cells.parts.facts_type`.
    usual : Usual
        On its plate.
    keep : tuple of str
        Reasons that do not drop a cell.
    """

    number: int
    path: Path
    facts: np.void
    usual: Usual
    keep: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """What is kept of a finished field of n cells: few bytes, since all fields' are held at once.

    Attributes
    ----------
    verdicts : ndarray
        (n,) uint8, numbers in `VERDICTS`.
    sharpness : ndarray
        (C,) median of the cells; NaN where there are none.
    kept : StoredPixels
        Those of the cells that are kept.
    """

    verdicts: np.ndarray
    sharpness: np.ndarray
    kept: StoredPixels

    @property
    def reasons(self) -> np.ndarray:
        """Why each cell is no good (n,) of str; "" for a good one."""
        return np.asarray(VERDICTS[self.verdicts])

    @property
    def chosen(self) -> np.ndarray:
        """Which cells are kept (n,) bool."""
        return self.kept.pieces[0].chosen


def judge(trial: Trial) -> Judged:
    """Judge a field, and each of its cut cells."""
    part = Part.open(trial.path)
    areas, quality = part.cells["areas"][:, 0], part.cells["quality"]
    background, saturated = trial.facts["background"], trial.facts["saturated"]
    whole = judge_field(areas, quality, background, saturated, trial.usual)
    if whole and whole not in trial.keep:
        reasons = np.full(len(areas), whole, dtype=object)
    else:
        single = judge_cells(areas, quality, trial.usual).astype(object)
        reasons = np.where(single == "", whole, single)
    verdicts = np.argmax(reasons[:, None] == VERDICTS, axis=1).astype(np.uint8)
    good = np.isin(VERDICTS.astype(str), ["", *trial.keep])
    _, sharpness, _ = np.split(quality, len(MEASURES), axis=1)
    usual = np.median(sharpness, axis=0) if len(sharpness) else np.full(len(background), np.nan)
    return Judged(verdicts, usual, part.pixels(good[verdicts]))

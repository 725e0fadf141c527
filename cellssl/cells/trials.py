"""A finished field judged, in whatever process: which of its cells are kept, and why others are not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellssl.cells.parts import Part
from cellssl.cells.quality.judging import judge_cells, judge_field
from cellssl.cells.quality.usual import Usual


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


@dataclass(frozen=True)
class Judged:
    """A finished field; why each of its n cells is no good ("" for a good one), and which are kept."""

    part: Part
    reasons: np.ndarray
    kept: np.ndarray


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
    return Judged(part, reasons, np.isin(reasons.astype(str), ["", *trial.keep]))

"""What a protocol will make an encoder blind to, said before anything is trained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cellssl.arguments import some_names, whole_numbers
from cellssl.crops import Crops
from cellssl.errors import StudyError
from cellssl.files import check_folder, make_folder, write_csv, write_text
from cellssl.progress import track
from cellssl.protocols import Protocol, resolve
from cellssl.report.figures.audit import audit_figure
from cellssl.report.figures.style import save_figure
from cellssl.studies.audit.cases import cases_of
from cellssl.studies.audit.cells import left_out, open_cells
from cellssl.studies.audit.findings import TABLES, Findings
from cellssl.studies.audit.nuisances import nuisance_columns
from cellssl.studies.audit.references import USUAL, reference_named, references_named
from cellssl.studies.audit.separation import put_right
from cellssl.studies.audit.standing import Standing
from cellssl.studies.audit.together import Together
from cellssl.studies.audit.verdict import verdict

SHARES = (0.5, 1.0)


@dataclass(frozen=True)
class Audit:
    """What an audit found: tables, in words, and a figure.

    Attributes
    ----------
    protocol : str
        Its name.
    label : str or None
        The classes' column.
    operations : DataFrame
        reference, operation, amplitude, share (of the amplitude), and of each such case:

        - groups: of views that do it, where the protocol names several;
        - moved: root mean square, in units of the spread of cells;
        - cost: share of contrast lost;
        - cost_as_read, with a label only: share that is lost by what tells classes as cells are, as an
          encoder loses it that does not learn to compare what the operation changes with what it
          changes alike;
        - kept: how often a place of a cell stays exactly as it is, of views at full amplitude that
          change it. Where that is most of them, a cost is an upper bound, since an encoder may look at
          what is left;
        - ``bridged NUISANCE``: share of its differences lost.

        The rows ``whole view`` are all operations together.
    contrasts : DataFrame
        reference, operation, amplitude, share, class_a, class_b, before, after (d'), lost (share, of a
        d' of 6 at most: from there on all cells are told), through (the property that carried it, where
        features have names), apart (nuisances of which the two share no value, which may be what tells
        them), apart_in_part (likewise, of which most cells of one have values that few or none of the other has).
        Visible pairs only.
    classes : DataFrame
        reference, operation, amplitude, share, class, lost: mean over the class's visible pairs.
    properties : DataFrame
        reference, operation, amplitude, share, property, erased: share of what varies between two views
        of a cell in this property that the operation makes; 0.5 is as much as cells differ by.
    nuisances : DataFrame
        reference, nuisance, values, separation (d' between its values, in units of cells of one value, the
        classes' taken out; 0 where cells dealt out at random lie as far apart),
        alone (classes that lie on one value alone).
    outlook : DataFrame
        reference, before, after, cells, intensity: how often a cell is put right between two classes, from
        the reference, from what the whole view leaves of it, and from intensity statistics alone; and by how
        many cells of all classes all of this is told.
    unseen : DataFrame
        reference, class_a, class_b, before (d'): pairs that cannot be told before any view, of which
        nothing is said: below 1, or below what 95 % of pairs have whose cells are dealt out at
        random, as few of each, in all spaces of the reference together.
    absent : DataFrame
        class (empty for none), cells: those left out, without a label or alone with theirs.
    plates : DataFrame
        plate, share: without a label, of what wells of one plate differ by, that of each plate.
    verdict : list of str
        Ranked, in plain words.
    """

    protocol: str
    label: str | None
    operations: pd.DataFrame
    contrasts: pd.DataFrame
    classes: pd.DataFrame
    properties: pd.DataFrame
    nuisances: pd.DataFrame
    outlook: pd.DataFrame
    unseen: pd.DataFrame
    absent: pd.DataFrame
    plates: pd.DataFrame

    def __repr__(self) -> str:
        told = f", {self.label}" if self.label else ""
        return "\n".join([f"Audit({self.protocol}{told})", *self.verdict])

    @property
    def verdict(self) -> list[str]:
        """Say what was found, the costliest operation first."""
        return verdict(self)

    def figure(self) -> Figure:
        """Draw contrasts × operations."""
        return audit_figure(
            self.operations, self.classes, self.contrasts, title=f"What {self.protocol} erases"
        )

    def save(self, folder: str | Path) -> Path:
        """Write the tables that have rows, the verdict and the figure into a folder."""
        folder = make_folder(folder)
        for name in TABLES:
            table, path = getattr(self, name), folder / f"{name}.csv"
            path.unlink(missing_ok=True)  # of an earlier audit
            if len(table):
                write_csv(table, path)
        write_text("\n".join(self.verdict) + "\n", folder / "verdict.txt")
        save_figure(self.figure(), folder / "audit.png")
        return folder


@whole_numbers(error=StudyError, cells=1, draws=1, seed=0)
def audit(
    protocol: Protocol | str | Path,
    crops: Crops | str | Path,
    out: str | Path | None = None,
    *,
    label: str | None = None,
    nuisances: str | Sequence[str] | None = None,
    references: str | Sequence[str] = (USUAL,),
    weights: str | Path | None = None,
    shares: Sequence[float] = SHARES,
    cells: int = 500,
    draws: int = 2,
    where: str | None = None,
    plates: str | Sequence[str] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Audit:
    """Measure how far each operation moves cells, against how far classes and plates lie apart.

    An encoder that is trained to see two views of a cell as one cannot keep what the views differ
    by. So the displacements that an operation makes, in a standardised reference space, are added to
    what cells of one class differ by, and classes are separated again: a contrast that lies where
    the operation moves cells is lost, one that lies across it stays. Differences between plates are
    treated alike: those are to be lost.

    What it cannot say: what training finds beyond the reference's features; what a view teaches by
    being harder; and, where a class lies on one plate alone, whether it is the class or the plate.

    Measured on 1,482 BBBC021 cells: over six protocols (VGG-13) the whole view's cost and cross-plate
    kNN rank-correlate by −0.54; the two harmful ones, natural and gain ±0.4, cost most, the four good
    ones are ranked backwards. Over four of them trained with ResNet-18, four seeds each, the order is
    right (−1.0). How far views move cells ranks these protocols alike; what that cannot say is which
    class gains or loses: changes of 13 classes' accuracies correlate by 0.38 (0.04 to 0.65); nor that
    one protocol costs one label more than another (protocols/studies/results/bbbc021-dna-content).

    Parameters
    ----------
    protocol
        A protocol, its name or its file.
    crops
        The crop file.
    out
        A folder for tables, verdict and figure.
    label
        Column of the classes. Without one, contrasts are those between wells of one plate.
    nuisances
        Columns, such as Plate and Batch, which are taken where they are when left out.
    references
        ``measures``, ``arrangement``, ``intensity``, ``random``, or a pretrained network's name (with
        `weights`). Of names joined by "+" the first is asked, and of two classes that another tells
        much better, that one: direction and handedness are no measures of a cell.
    shares
        Of each operation's amplitude.
    cells, draws
        Cells, as many of each class, and views of each.
    where, plates
        Only cells where a column is true, or of this plate, or these.
    seed
        Of the draws.

    Raises
    ------
    ProtocolError
        When the protocol does not fit the crops.
    StudyError
        When fewer than two classes are there (without a label: neither two wells nor two plates), or
        no such reference.

    Examples
    --------
    >>> audit("natural-moco", "crops.h5ad", label="MOA").verdict  # doctest: +SKIP
    """
    if out is not None:
        check_folder(out)
    protocol = resolve(protocol)
    crops = Crops.open(crops)
    references = some_names(references)
    plates = None if plates is None else some_names(plates)
    if not references or not shares or min(shares) < 0:
        raise StudyError("an audit needs a reference, and shares of 0 or more")
    sample, column = open_cells(
        protocol, crops, label=label, cells=cells, where=where, plates=plates
    )
    spaces = [references_named(n, sample.channels, weights=weights, seed=seed) for n in references]
    used = list({one.name: one for space in spaces for one in space}.values())
    cases = cases_of(protocol, sample.channels, crops.mask_names, sorted({1.0, *shares}))
    named = nuisance_columns(sample.obs, nuisances, but=column)
    view = cases[-1].views[0]
    found = Findings(sample.channels)
    features = sample.unchanged(view, used)
    standings = [
        Together(space, features, sample.obs, label=column, nuisances=named) for space in spaces
    ]
    _require_contrast(standings[0])
    for standing in standings:
        found.stands(standing)
    for case in track(cases, f"audit {protocol.name}", shown=progress):
        made = sample.moved(case, used, draws=draws, seed=seed)
        kept = sample.kept(case, draws=draws, seed=seed) if case.share == 1.0 else math.nan
        for standing in standings:
            found.moves(standing, case, standing.moved(made, turned=case.turns), kept=kept)
    if column is not None:
        absent = left_out(crops.obs, column, where=where, plates=plates)
        found.rows["absent"] = [{"class": name, "cells": n} for name, n in absent.items()]
        only = reference_named("intensity", sample.channels)
        told = sample.unchanged(view, [only])[only.name]
        plain = Standing(only, told, sample.obs, label=column, nuisances={})
        found.compare(put_right(plain.pairs))
    else:
        of_plates = standings[0].first.shares_of_plates()
        found.rows["plates"] = [{"plate": name, "share": n} for name, n in of_plates.items()]
    result = Audit(protocol.name, column, **found.tables())
    if out is not None:
        result.save(out)
    return result


def _require_contrast(standing: Together) -> None:
    """Make sure that there is something to lose, or to bridge."""
    nuisances = [spread.groups for spread in standing.nuisances.values()]
    if all(len(groups.names) < 2 for groups in (standing.groups, *nuisances)):
        raise StudyError(
            "nothing is there that an operation could erase or bridge: the cells name no two wells, "
            "plates or batches. Name the column of their classes with --label"
        )

"""What a protocol will make an encoder blind to, said before anything is trained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from cellssl.crops import Crops
from cellssl.errors import StudyError
from cellssl.files import atomic, check_folder, make_folder, write_csv
from cellssl.phenotypes import choose_label
from cellssl.progress import track
from cellssl.protocols import Protocol, resolve
from cellssl.report.figures import audit_figure, save_figure
from cellssl.studies.audit.cells import WHOLE, Case, cases_of, left_out, open_cells
from cellssl.studies.audit.references import (
    USUAL,
    property_named,
    reference_named,
    references_named,
)
from cellssl.studies.audit.standing import Moved, Standing, losses
from cellssl.studies.audit.together import Together
from cellssl.studies.audit.verdict import verdict

__all__ = ["Audit", "audit", "nuisance_columns"]

SHARES = (0.5, 1.0)
_USUAL_NUISANCES = ("Metadata_Plate", "Metadata_Batch")


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
        reference, operation, amplitude, share (of the amplitude), moved (root mean square, in units
        of the spread of cells), cost (share of contrast lost), kept (how often a place of a cell
        stays exactly as it is, of views at full amplitude that change it: where that is most of them,
        a cost is an upper bound, since an encoder may look at what is left), and ``bridged NUISANCE``
        (share of its differences lost). The rows ``whole view`` are all operations together.
    contrasts : DataFrame
        reference, operation, amplitude, share, class_a, class_b, before, after (d'), lost (share, of a
        d' of 6 at most: from there on all cells are told), through (the property that carried it, where
        features have names), apart (nuisances of which the two share no value, which may be what tells
        them). Visible pairs only.
    classes : DataFrame
        reference, operation, amplitude, share, class, lost: mean over the class's visible pairs.
    properties : DataFrame
        reference, operation, amplitude, share, property, erased: share of what varies between two views
        of a cell in this property that the operation makes; 0.5 is as much as cells differ by.
    nuisances : DataFrame
        reference, nuisance, values, separation (d' between its values, the classes' taken out),
        alone (classes that lie on one value alone).
    outlook : DataFrame
        reference, before, after, intensity: how often a cell is put right between two classes, from
        the reference, from what the whole view leaves of it, and from intensity statistics alone.
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
        return f"Audit({self.protocol}{told})"

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
        for name in _TABLES:
            table, path = getattr(self, name), folder / f"{name}.csv"
            path.unlink(missing_ok=True)  # of an earlier audit
            if len(table):
                write_csv(table, path)
        with atomic(folder / "verdict.txt") as part:
            part.write_text("\n".join(self.verdict) + "\n", encoding="utf-8")
        save_figure(self.figure(), folder / "audit.png")
        return folder


_TABLES = (
    *("operations", "contrasts", "classes", "properties"),
    *("nuisances", "outlook", "unseen", "absent", "plates"),
)


def audit(
    protocol: Protocol | str | Path,
    crops: Crops | str | Path,
    out: str | Path | None = None,
    *,
    label: str | None = None,
    nuisances: Sequence[str] | None = None,
    references: Sequence[str] = (USUAL,),
    weights: str | Path | None = None,
    shares: Sequence[float] = SHARES,
    cells: int = 500,
    draws: int = 2,
    where: str | None = None,
    plates: Sequence[str] | None = None,
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
        Only cells where a column is true, or of these plates.
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
    if draws < 1 or not references or not shares or min(shares) < 0:
        raise StudyError("an audit needs draws ≥ 1, a reference, and shares of 0 or more")
    sample, column = open_cells(
        protocol, crops, label=label, cells=cells, where=where, plates=plates
    )
    spaces = [references_named(n, sample.channels, weights=weights, seed=seed) for n in references]
    used = list({one.name: one for space in spaces for one in space}.values())
    cases = cases_of(protocol, sample.channels, crops.mask_names, sorted({1.0, *shares}))
    named = nuisance_columns(sample.obs, nuisances, but=column)
    view = cases[-1].views[0]
    found = _Findings(protocol.name, column)
    features = {one.name: sample.unchanged(view, one) for one in used}
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
            found.moves(standing, case, standing.moved(made), kept=kept)
    if column is not None:
        absent = left_out(crops.obs, column, where=where, plates=plates)
        found.rows["absent"] = [{"class": name, "cells": n} for name, n in absent.items()]
        only = reference_named("intensity", sample.channels)
        plain = Standing(only, sample.unchanged(view, only), sample.obs, label=column, nuisances={})
        found.compare(plain.accuracy())
    else:
        of_plates = standings[0].shares_of_plates()
        found.rows["plates"] = [{"plate": name, "share": n} for name, n in of_plates.items()]
    result = found.tables(sample.channels)
    if out is not None:
        result.save(out)
    return result


def nuisance_columns(
    obs: pd.DataFrame, names: Sequence[str] | None, *, but: str | None
) -> dict[str, str]:
    """Map the short names of nuisances to columns: those asked for, or plate and batch."""
    if names is None:
        columns = [c for c in _USUAL_NUISANCES if c in obs and len(set(obs[c].astype(str))) > 1]
    else:
        columns = [str(choose_label(obs, name)) for name in names]
    return {c.removeprefix("Metadata_"): c for c in columns if c != but}


def _require_contrast(standing: Together) -> None:
    """Make sure that there is something to lose, or to bridge."""
    nuisances = [groups for _, groups in standing.nuisances.values()]
    if all(len(groups.names) < 2 for groups in (standing.groups, *nuisances)):
        raise StudyError(
            "nothing is there that an operation could erase or bridge: the cells name no two wells, "
            "plates or batches. Name the column of their classes with --label"
        )


class _Findings:
    """Rows of the tables, as they come."""

    def __init__(self, protocol: str, label: str | None) -> None:
        self.protocol, self.label = protocol, label
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}

    def stands(self, standing: Together) -> None:
        """Note how far apart nuisances are before anything is done."""
        for name, (_, groups) in standing.nuisances.items():
            self.rows["nuisances"].append(
                {
                    "reference": standing.name,
                    "nuisance": name,
                    "values": len(groups.names),
                    "separation": standing.nuisance_separation(name),
                    "alone": standing.alone(name),
                }
            )
        if standing.label is not None:
            self.rows["unseen"] += [
                {"reference": standing.name, "class_a": a, "class_b": b, "before": apart}
                for a, b, apart in standing.unseen()
            ]

    def moves(self, standing: Together, case: Case, moved: list[Moved], *, kept: float) -> None:
        """Note what a case costs and bridges."""
        which = {
            "reference": standing.name,
            "operation": case.operation,
            "amplitude": case.amplitude,  # two of one operation differ by it
            "share": case.share,
        }
        bridged = {f"bridged {n}": standing.bridged(n, moved) for n in standing.nuisances}
        row = {**which, "moved": standing.relative(moved), "cost": standing.cost(moved)}
        row |= {"kept": kept}
        self.rows["operations"].append({**row, **bridged})
        self._pairs(standing, which, moved)
        self.rows["properties"] += [
            {**which, "measure": n, "erased": e} for n, e in standing.erased(moved).items()
        ]
        if case.operation.startswith(WHOLE):
            self.rows["outlook"].append(
                {**which, "before": standing.accuracy(), "after": standing.accuracy(moved)}
            )

    def _pairs(self, standing: Together, which: Mapping[str, Any], moved: list[Moved]) -> None:
        """Note the visible contrasts, and the mean loss of each class."""
        if standing.label is None:
            return
        after, names = standing.separations(moved), standing.groups.names
        pairs, shares = losses(standing.pairs, after, standing.least)
        of_class: dict[str, list[float]] = {}
        for (a, b), share in zip(pairs.tolist(), shares.tolist(), strict=True):
            for name in (names[a], names[b]):
                of_class.setdefault(name, []).append(share)
            self.rows["contrasts"].append(
                {
                    **which,
                    "class_a": names[a],
                    "class_b": names[b],
                    "before": standing.pairs[a, b],
                    "after": after[a, b],
                    "lost": share,
                    "through": standing.carrier(a, b, moved),
                    "apart": ", ".join(standing.told_by(a, b)),
                }
            )
        self.rows["classes"] += [
            {**which, "class": name, "lost": sum(some) / len(some)}
            for name, some in of_class.items()
        ]

    def compare(self, intensity: float) -> None:
        """Note what intensity statistics alone tell."""
        for row in self.rows["outlook"]:
            row["intensity"] = intensity

    def tables(self, channels: Sequence[str]) -> Audit:
        """Make tables of the rows."""
        tables = {name: pd.DataFrame(rows) for name, rows in self.rows.items()}
        for name, column in (("contrasts", "through"), ("properties", "measure")):
            if not tables[name].empty:
                words = tables[name][column].map(
                    lambda text: property_named(text, channels) if text else ""
                )
                tables[name][column] = words
        properties = tables["properties"]
        if not properties.empty:  # several measures of one property: the most erased counts
            keys = ["reference", "operation", "amplitude", "share", "measure"]
            most = properties.groupby(keys, sort=False)["erased"].max().reset_index()
            tables["properties"] = most.rename(columns={"measure": "property"})
        return Audit(self.protocol, self.label, **tables)

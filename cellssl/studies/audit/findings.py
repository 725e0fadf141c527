"""What an audit notes, case by case, and the tables that it becomes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cellssl.studies.audit.cases import WHOLE, Case
from cellssl.studies.audit.references import property_named
from cellssl.studies.audit.separation import losses
from cellssl.studies.audit.standing import Moved
from cellssl.studies.audit.together import Together

TABLES = (
    *("operations", "contrasts", "classes", "properties"),
    *("nuisances", "outlook", "unseen", "absent", "plates"),
)


class Findings:
    """Rows of the tables, as they come; properties are called as people call them.

    Parameters
    ----------
    channels
        Of the cells, in order.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self.channels = channels
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}

    def stands(self, standing: Together) -> None:
        """Note how far apart nuisances are before anything is done."""
        self.rows["nuisances"] += [
            {
                "reference": standing.name,
                "nuisance": name,
                "values": len(spread.groups.names),
                "separation": spread.apart,
                "alone": standing.alone[name],
            }
            for name, spread in standing.nuisances.items()
        ]
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
        costs = {
            "moved": standing.first.relative(moved[0]),
            "cost": standing.cost(moved),
            "cost_as_read": standing.cost_as_read(moved),
            "kept": kept,
        }
        self.rows["operations"].append(
            {**which, "groups": ", ".join(case.groups), **costs, **bridged}
        )
        self._pairs(standing, which, moved)
        self.rows["properties"] += [
            {**which, "property": property_named(name, self.channels), "erased": erased}
            for name, erased in standing.erased(moved).items()
        ]
        if case.operation.startswith(WHOLE):
            self.rows["outlook"].append(
                {
                    **which,
                    "before": standing.accuracy(),
                    "after": standing.accuracy(moved),
                    "cells": int(standing.groups.counts().sum()),
                }
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
            through = standing.carrier(a, b, moved)
            self.rows["contrasts"].append(
                {
                    **which,
                    "class_a": names[a],
                    "class_b": names[b],
                    "before": standing.pairs[a, b],
                    "after": after[a, b],
                    "lost": share,
                    "through": property_named(through, self.channels) if through else "",
                    "apart": ", ".join(standing.told_by(a, b)),
                    "apart_in_part": ", ".join(standing.told_in_part(a, b)),
                }
            )
        self.rows["classes"] += [
            {**which, "class": name, "lost": sum(of_class[name]) / len(of_class[name])}
            for name in names
            if name in of_class
        ]

    def compare(self, intensity: float) -> None:
        """Note what intensity statistics alone tell."""
        for row in self.rows["outlook"]:
            row["intensity"] = intensity

    def tables(self) -> dict[str, pd.DataFrame]:
        """Make tables of the rows."""
        tables = {name: pd.DataFrame(rows) for name, rows in self.rows.items()}
        properties = tables["properties"]
        if not properties.empty:  # several measures of one property: the most erased counts
            keys = ["reference", "operation", "amplitude", "share", "property"]
            most = properties.groupby(keys, sort=False)["erased"].max()
            tables["properties"] = most.reset_index()
        return tables

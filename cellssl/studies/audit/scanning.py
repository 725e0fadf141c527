"""The scan of a suggestion: candidates at falling amplitudes, and what is kept of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from cellssl.augment import Operation
from cellssl.crops import Crops
from cellssl.protocols import Protocol, from_dict
from cellssl.protocols.describing import amplitude, strength
from cellssl.studies.audit.amplitudes import LYING, amplitude_keys, at_share
from cellssl.studies.audit.cases import Case
from cellssl.studies.audit.stakes import Stakes

# Pixels that a nucleus is located to, at most and at least. No contrast tells when a shift is too far: on BBBC021 8 px,
# of which 6 lay beyond the stored crops, cost 0.03 in kNN beside 2 (protocols/studies/results/bbbc021-suggested).
_MOST_SHIFT, _LEAST_SHIFT = 4.0, 2.0
_STEPS = (1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625)
_TURNED = "quarter_turn"  # where resampling costs more than how a cell lies tells: no pixel is interpolated
_BRIDGES = 0.02  # share of a nuisance's differences from which on an operation is worth having


def candidates(base: Protocol, crops: Crops, name: str) -> Protocol:
    """Give the base with all candidates for views, its channels spelt out.

    A cell is shifted no further than the stored crops go on beyond the view, or by what a nucleus is located to.
    """
    values = base.to_dict()
    values.pop("groups", None)
    shift = min(_MOST_SHIFT, max(_LEAST_SHIFT, (crops.size - base.crop.size) / 2))
    channels = list(crops.channels) if base.channels == "any" else list(base.channels)
    return from_dict(
        {
            **values,
            "name": name,
            "description": "Amplitudes scanned on labelled cells: to be edited",
            "channels": channels,
            "views": [_scanned(shift)],
        }
    )


def _scanned(shift: float) -> list[dict[str, Any]]:
    """List the candidates, each at more than anybody should want: the scan goes down from here."""
    return [
        {"rotate": {"degrees": 180.0}},
        {"quarter_turn": {}},
        {"flip": {"p": 0.5}},
        {"shift": {"pixels": shift}},
        {"zoom": {"area": [0.4, 1.6]}},
        {"stain_gain": {"amplitude": 0.6}},
        {"stain_offset": {"amplitude": 0.12}},
        {"gamma": {"amplitude": 0.4}},
        {"defocus": {"sigma": [0.0, 3.0], "p": 0.5}},
        {"read_noise": {"sigma": [0.0, 0.12], "p": 0.5}},
    ]


class Scan:
    """The candidates in turn, and what is kept of them."""

    def __init__(self, stakes: Stakes) -> None:
        self.stakes = stakes
        self.rows: list[dict[str, Any]] = []
        self.kept: list[Operation] = []
        self.dropped: dict[str, str] = {}

    def choose(self, operation: Operation, *, budget: float, draws: int) -> None:
        """Go down until no contrast loses too much; keep what bridges something."""
        if operation.name == _TURNED and any(
            one["operation"] == "rotate" and one["chosen"] and one["share"] == 1.0
            for one in self.rows
        ):
            return  # cells are turned by any angle already
        more = ""
        for share in _STEPS if amplitude_keys(operation) else (1.0,):
            weaker = at_share(operation, share)
            row = self.measure([weaker], operation.name, amplitude(weaker), share, draws)
            if row["cost"] <= budget:
                self._keep(weaker, row, more)
                return
            more = f"{amplitude(weaker)} would take {row['cost']:.0%} of {row['contrast']}"
        least = strength(weaker)
        self.dropped[operation.name] = (
            f"which even at {least} takes {row['cost']:.0%} of {row['contrast']}"
        )

    def measure(
        self, operations: Sequence[Operation], name: str, amplitude: str, share: float, draws: int
    ) -> dict[str, Any]:
        """Measure one amplitude of an operation, or several operations."""
        case = Case(name, "", share, (self.stakes.view.made_of(operations),))
        effect = self.stakes.measure(case, draws=draws)
        row = {"operation": name, "amplitude": amplitude, "share": share, **asdict(effect)}
        self.rows.append({**row, "chosen": False})
        return self.rows[-1]

    def _keep(self, operation: Operation, row: dict[str, Any], more: str) -> None:
        """Keep an operation with its reason, or say why not; `more` says what a larger amplitude would take."""
        told = self.told(row)
        if operation.name in LYING:
            told = f"{more or 'how a cell lies is no phenotype'}; {told}"
        elif row["bridged"] < max(_BRIDGES, row["mean_cost"]):
            self.dropped[operation.name] = f"which at {amplitude(operation)} {told}"
            return
        row["chosen"] = True
        self.kept.append(replace(operation, because=told))

    def told(self, row: Mapping[str, Any]) -> str:
        """Say what an amplitude, or all of them together, bridges and takes."""
        return (
            f"bridges {max(row['bridged'], 0.0):.0%} of what {' and '.join(self.stakes.nuisances)} differs by, and "
            f"takes {max(row['mean_cost'], 0.0):.0%} of the contrasts on average, {max(row['cost'], 0.0):.0%} of "
            f"{row['contrast']} at most"
        )

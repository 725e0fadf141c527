"""Amplitudes that keep what classes differ by and bridge what plates differ by, from some labels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.augment import Operation
from cellssl.crops import Crops
from cellssl.errors import StudyError
from cellssl.files import atomic, check_file, make_folder
from cellssl.progress import track
from cellssl.protocols import Protocol, dump, from_dict, resolve
from cellssl.protocols.describing import amplitude
from cellssl.studies.audit.amplitudes import LYING, at_share, has_amplitude
from cellssl.studies.audit.audit import nuisance_columns
from cellssl.studies.audit.cells import WHOLE, Case, cases_of, open_cells
from cellssl.studies.audit.references import USUAL, references_named
from cellssl.studies.audit.stakes import Stakes
from cellssl.studies.audit.verdict import LOST
from cellssl.studies.experiment import trainable
from cellssl.training import TrainingSettings, long_enough, steps
from cellssl.words import counted, listed

__all__ = ["Suggestion", "suggest"]

# Pixels that a nucleus is located to, at most and at least. No contrast tells when a shift is too far: on BBBC021 8 px,
# of which 6 lay beyond the stored crops, cost 0.03 in kNN beside 2 (protocols/studies/results/bbbc021-suggested).
_MOST_SHIFT, _LEAST_SHIFT = 4.0, 2.0
_STEPS = (1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625)
_BRIDGES = 0.02  # share of a nuisance's differences from which on an operation is worth having


@dataclass(frozen=True)
class Suggestion:
    """A protocol whose amplitudes were scanned, and the scan.

    Attributes
    ----------
    protocol : Protocol
        With its reasons, and the labels that it was chosen by.
    scan : DataFrame
        operation, amplitude, share, cost (largest loss of a visible contrast), bridged (mean over
        nuisances), chosen; the last row is the whole view, of all that were chosen.
    dropped : dict
        Operation → why it is not there.
    together : str
        What the whole view bridges and takes.
    warnings : tuple of str
        What the choice could not see, where it was made by one contrast alone; and a contrast that
        all operations take together, though none of them does alone.
    training : str
        What is changed of the base's training, so that it is long enough; "" where nothing is.
    """

    protocol: Protocol
    scan: pd.DataFrame
    dropped: dict[str, str]
    together: str
    warnings: tuple[str, ...] = ()
    training: str = ""

    def __repr__(self) -> str:
        out = f", without {listed(list(self.dropped))}" if self.dropped else ""
        return f"Suggestion({self.protocol.name}{out})"

    def save(self, path: str | Path) -> Path:
        """Write the protocol file."""
        path = Path(path)
        make_folder(path.parent)
        head = [
            "# Suggested by `cellssl protocols suggest`, to be edited by someone who knows the cells.",
            "# An audit sees no further than intensity, size, texture, and how the cell in the middle lies.",
            f"# The whole view {self.together}.",
            *(f"# Beware: {warning}." for warning in self.warnings),
            *(f"# Left out: {name}, {why}." for name, why in self.dropped.items()),
            *([f"# Training: {self.training}."] if self.training else []),
        ]
        with atomic(path) as part:
            part.write_text("\n".join(head) + "\n" + dump(self.protocol), encoding="utf-8")
        return path


def suggest(
    crops: Crops | str | Path,
    out: str | Path | None = None,
    *,
    label: str,
    nuisances: Sequence[str] | None = None,
    base: Protocol | str | Path = "natural-simclr",
    name: str = "suggested",
    budget: float = 0.1,
    reference: str = USUAL,
    weights: str | Path | None = None,
    cells: int = 400,
    draws: int = 2,
    where: str | None = None,
    plates: Sequence[str] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Suggestion:
    """Choose each operation's amplitude by what it costs and what it bridges.

    Every candidate is audited by itself at falling shares of a large amplitude. The largest at which
    no visible contrast loses more than `budget` is taken. One that then bridges less than 2 % of what
    plates differ by, or less than it costs on average, is left out, but for rotation, flip and
    shift: how a cell lies is no phenotype. Shift begins at 4 px, or at as many (2 at least) as the stored crops have
    beyond the view. What all that are left take together is measured last, and
    a contrast that loses more than 30 % is warned of: small losses add up.

    Where the label shows one contrast alone (two controls), what wells of a plate differ by is a contrast
    too, in cells of all wells, whatever they were treated with: other phenotypes are among them. Wells
    are then among what the protocol says was looked at, so that no score asks on these plates for what
    follows from a well.

    Parameters
    ----------
    crops
        The crop file.
    out
        The protocol file to write.
    label
        Column of the classes that must stay visible; empty for cells that are not labelled.
    nuisances
        Columns whose differences shall go; Plate and Batch, where they are, when left out.
    base
        The protocol whose crop, scaling and training are taken; its views are not. Where its epochs
        of these cells are few steps, batches are smaller and epochs more (see
        `cellssl.training.long_enough`).
    name
        Of the suggested protocol.
    budget
        The largest share of any visible contrast that one operation may take.
    reference, weights, cells, draws, seed
        As in `cellssl.audit`, one reference or several joined by "+".
    where
        A true/false column: labels are looked at only where it is true. Wells that have a say beside one
        contrast are all, whatever it says.
    plates
        Plates whose labels may be looked at, all when left out. Scores are fair on the others alone.

    Raises
    ------
    StudyError
        When there is nothing to choose by: no contrast is visible, or no nuisance has two values.
    """
    if not 0 < budget < 1:
        raise StudyError(f"budget: got {budget}, wanted a share between 0 and 1")
    if out is not None:
        check_file(out)
    crops = Crops.open(crops)
    base = resolve(base)
    trained_on = trainable(crops)
    training = long_enough(trained_on, base.training)
    start = _candidates(base.model_copy(update={"training": training}), crops, name)
    sample, column = open_cells(start, crops, label=label, cells=cells, where=where, plates=plates)
    named = nuisance_columns(sample.obs, nuisances, but=column)
    spaces = references_named(reference, sample.channels, weights=weights, seed=seed)
    view = cases_of(start, sample.channels, crops.mask_names, [1.0])[-1].views[0]
    stakes = Stakes(sample, spaces, view, label=str(column), nuisances=named, seed=seed)
    if stakes.only:
        stakes.watch(open_cells(start, crops, cells=cells, plates=plates)[0])
    scan = _Scan(start, stakes)
    for operation in track(start.views[0].operations, "scan amplitudes", shown=progress):
        scan.choose(operation, budget=budget, draws=draws)
    used: dict[str, Any] = {"columns": [str(column)]}
    if stakes.watched:  # as positives of one well: who knows the well mostly knows its treatment
        used["columns"] += [
            name for name in ("Metadata_Plate", "Metadata_Well") if name in crops.obs
        ]
    if "Metadata_Plate" in sample.obs:
        # All of the cells that were to choose from, also those that the sample left out.
        looked = plates or sorted(set(crops.obs["Metadata_Plate"].astype(str)))
        used["plates"] = list(looked)
    result = replace(
        scan.result(used, draws), training=_lengthened(trained_on, base.training, training)
    )
    if out is not None:
        result.save(out)
    return result


def _lengthened(cells: int, before: TrainingSettings, after: TrainingSettings) -> str:
    """Say what is changed of a training, and why; nothing where nothing is."""
    if after is before:
        return ""
    was, made = (
        f"{counted(one.epochs, 'epoch')} in batches of {one.batch_size}" for one in (before, after)
    )
    return (
        f"{made}, not {was}, which of {counted(cells, 'cell')} make {counted(steps(cells, before), 'step')} "
        f"and not {steps(cells, after)}"
    )


def _candidates(base: Protocol, crops: Crops, name: str) -> Protocol:
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
        {"flip": {"p": 0.5}},
        {"shift": {"pixels": shift}},
        {"zoom": {"area": [0.4, 1.6]}},
        {"stain_gain": {"amplitude": 0.6}},
        {"stain_offset": {"amplitude": 0.12}},
        {"gamma": {"amplitude": 0.4}},
        {"defocus": {"sigma": [0.0, 3.0], "p": 0.5}},
        {"read_noise": {"sigma": [0.0, 0.12], "p": 0.5}},
    ]


class _Scan:
    """The candidates in turn, and what is kept of them."""

    def __init__(self, start: Protocol, stakes: Stakes) -> None:
        self.start, self.stakes = start, stakes
        self.rows: list[dict[str, Any]] = []
        self.kept: list[Operation] = []
        self.dropped: dict[str, str] = {}

    def choose(self, operation: Operation, *, budget: float, draws: int) -> None:
        """Go down until no contrast loses too much; keep what bridges something."""
        for share in _STEPS if has_amplitude(operation) else (1.0,):
            weaker = at_share(operation, share)
            row = self._try([weaker], operation.name, amplitude(weaker), share, draws)
            if row["cost"] <= budget:
                self._keep(weaker, row)
                return
        least = amplitude(weaker) or f"p {weaker.p:g}"
        self.dropped[operation.name] = (
            f"which even at {least} takes {row['cost']:.0%} of {row['contrast']}"
        )

    def _try(
        self, operations: Sequence[Operation], name: str, amplitude: str, share: float, draws: int
    ) -> dict[str, Any]:
        """Measure one amplitude of an operation, or several operations."""
        case = Case(name, "", share, (self.stakes.view.made_of(operations),))
        effect = self.stakes.measure(case, draws=draws)
        row = {"operation": name, "amplitude": amplitude, "share": share, **asdict(effect)}
        self.rows.append({**row, "chosen": False})
        return self.rows[-1]

    def _keep(self, operation: Operation, row: dict[str, Any]) -> None:
        """Keep an operation with its reason, or say why not."""
        told = self._told(row)
        if operation.name in LYING:
            told = f"how a cell lies is no phenotype; {told}"
        elif row["bridged"] < max(_BRIDGES, row["mean_cost"]):
            self.dropped[operation.name] = f"which at {amplitude(operation)} {told}"
            return
        row["chosen"] = True
        self.kept.append(replace(operation, because=told))

    def _told(self, row: Mapping[str, Any]) -> str:
        """Say what an amplitude, or all of them together, bridges and takes."""
        return (
            f"bridges {max(row['bridged'], 0.0):.0%} of what {' and '.join(self.stakes.nuisances)} differs by, and "
            f"takes {row['mean_cost']:.0%} of the contrasts on average, {row['cost']:.0%} of "
            f"{row['contrast']} at most"
        )

    def result(self, used: dict[str, Any], draws: int) -> Suggestion:
        """Make the protocol, and measure all that was kept together."""
        if not self.kept:
            raise StudyError("every operation costs more than the budget: raise it with --budget")
        whole = self._try(self.kept, WHOLE, "", 1.0, draws)
        values = self.start.to_dict()
        recipe = self.start.views[0].model_copy(update={"operations": tuple(self.kept)})
        views = self.start.model_copy(update={"views": (recipe,)}).to_dict()["views"]
        protocol = from_dict({**values, "views": views, "labels_used": used})
        warnings = tuple(filter(None, (self._one_contrast(), _adding_up(whole))))
        scan = pd.DataFrame(self.rows)
        return Suggestion(protocol, scan, self.dropped, self._told(whole), warnings)

    def _one_contrast(self) -> str:
        """Say that one contrast, of two controls say, does not speak for other phenotypes."""
        if not self.stakes.only:
            return ""
        if self.stakes.watched:
            return (
                f"labels show one contrast, {self.stakes.only}: for all other phenotypes speaks what wells of a "
                "plate differ by, and what no well here shows may be erased"
            )
        return (
            f"one contrast chose, {self.stakes.only}, and what tells any other class may be erased: look at "
            "more classes, or lower the budget"
        )


def _adding_up(whole: Mapping[str, Any]) -> str:
    """Say that operations which each take little take much together."""
    if whole["cost"] <= LOST:
        return ""
    return (
        f"all operations together take {whole['cost']:.0%} of {whole['contrast']}, though each alone is "
        "within the budget: lower it (--budget), or take out what bridges least"
    )

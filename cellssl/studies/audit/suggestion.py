"""Amplitudes that keep what classes differ by and bridge what plates differ by, from some labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.arguments import some_names, whole_numbers
from cellssl.columns import PLATE, WELL
from cellssl.crops import Crops
from cellssl.errors import ProtocolError, StudyError
from cellssl.files import check_file, make_folder, write_text
from cellssl.progress import track
from cellssl.protocols import Protocol, dump, from_dict, resolve
from cellssl.protocols.checking import too_small
from cellssl.studies.audit.cases import WHOLE, cases_of
from cellssl.studies.audit.cells import open_cells
from cellssl.studies.audit.nuisances import nuisance_columns
from cellssl.studies.audit.references import USUAL, references_named
from cellssl.studies.audit.scanning import Scan, candidates
from cellssl.studies.audit.stakes import Stakes
from cellssl.studies.audit.together import CHANCE
from cellssl.studies.audit.verdict import LOST
from cellssl.studies.suitability import trainable
from cellssl.training import TrainingSettings, long_enough, steps
from cellssl.words import counted, listed


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
        What the choice could not see, where it was made by one contrast alone, or by some of many; and a
        contrast that all operations take together, though none of them does alone.
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
        write_text("\n".join(head) + "\n" + dump(self.protocol), path)
        return path


@whole_numbers(error=StudyError, cells=1, draws=1, seed=0)
def suggest(
    crops: Crops | str | Path,
    out: str | Path | None = None,
    *,
    label: str,
    nuisances: str | Sequence[str] | None = None,
    base: Protocol | str | Path = "natural-simclr",
    name: str = "suggested",
    budget: float = 0.1,
    reference: str = USUAL,
    weights: str | Path | None = None,
    cells: int = 400,
    draws: int = 2,
    where: str | None = None,
    plates: str | Sequence[str] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Suggestion:
    """Choose each operation's amplitude by what it costs and what it bridges.

    Every candidate is audited by itself at falling shares of a large amplitude. The largest at which
    no visible contrast loses more than `budget` is taken. One that then bridges less than 2 % of what
    plates differ by, or less than it costs on average, is left out, but for rotation, flip and
    shift: how a cell lies is no phenotype. Shift begins at 4 px, or at as many (2 at least) as the stored crops have
    beyond the view. Where not every angle stays within the budget (resampling takes of fine grain, too), quarter
    turns are tried beside. What all that are left take together is measured last, and
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
    ProtocolError
        When the base's crop does not fit the crops.
    StudyError
        When there is nothing to choose by: no contrast is visible, or no nuisance has two values.
    """
    if not 0 < budget < 1:
        raise StudyError(f"budget: got {budget}, wanted a share between 0 and 1")
    if out is not None:
        check_file(out)
    plates = None if plates is None else some_names(plates)
    crops = Crops.open(crops)
    base = resolve(base)
    if told := too_small(base, crops.size):
        raise ProtocolError(
            f"{base.name}, whose crop is taken (--protocol, base=), does not fit these cells: {told[0]}"
        )
    trained_on = trainable(crops)
    training = long_enough(trained_on, base.training)
    start = candidates(base.model_copy(update={"training": training}), crops, name)
    sample, column = open_cells(start, crops, label=label, cells=cells, where=where, plates=plates)
    named = nuisance_columns(sample.obs, nuisances, but=column)
    spaces = references_named(reference, sample.channels, weights=weights, seed=seed)
    view = cases_of(start, sample.channels, crops.mask_names, [1.0])[-1].views[0]
    stakes = Stakes(sample, spaces, view, label=str(column), nuisances=named, seed=seed)
    if stakes.only:
        stakes.watch(open_cells(start, crops, cells=cells, plates=plates)[0])
    scan = Scan(stakes)
    for operation in track(start.views[0].operations, "scan amplitudes", shown=progress):
        scan.choose(operation, budget=budget, draws=draws)
    used = _labels_used(crops, str(column), plates, by_well=stakes.watched)
    lengthened = _lengthened(trained_on, base.training, training)
    result = _suggestion(start, scan, used=used, draws=draws, training=lengthened)
    if out is not None:
        result.save(out)
    return result


def _labels_used(
    crops: Crops, column: str, plates: Sequence[str] | None, *, by_well: bool
) -> dict[str, list[str]]:
    """Say which labels of which plates were looked at, of all cells that were to choose from."""
    # As positives of one well: who knows the well mostly knows its treatment.
    wells = [name for name in (PLATE, WELL) if by_well and name in crops.obs]
    used = {"columns": [column, *wells]}
    if PLATE in crops.obs:
        used["plates"] = list(plates or sorted(set(crops.obs[PLATE].astype(str))))
    return used


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


def _suggestion(
    start: Protocol, scan: Scan, *, used: dict[str, list[str]], draws: int, training: str
) -> Suggestion:
    """Make the protocol, and measure all that was kept together."""
    if not scan.kept:
        raise StudyError("every operation costs more than the budget: raise it with --budget")
    whole = scan.measure(scan.kept, WHOLE, "", 1.0, draws)
    recipe = start.views[0].model_copy(update={"operations": tuple(scan.kept)})
    protocol = start.model_copy(update={"views": (recipe,)}).to_dict()
    warnings = tuple(
        filter(None, (_one_contrast(scan.stakes) or _unseen(scan.stakes), _adding_up(whole)))
    )
    return Suggestion(
        from_dict({**protocol, "labels_used": used}),
        pd.DataFrame(scan.rows),
        scan.dropped,
        scan.told(whole),
        warnings,
        training,
    )


def _one_contrast(stakes: Stakes) -> str:
    """Say that one contrast, of two controls say, does not speak for other phenotypes."""
    if not stakes.only:
        return ""
    if stakes.watched:
        return (
            f"labels show one contrast, {stakes.only}: for all other phenotypes speaks what wells of a "
            "plate differ by, and what no well here shows may be erased"
        )
    return (
        f"one contrast chose, {stakes.only}, and what tells any other class may be erased: look at "
        "more classes, or lower the budget"
    )


def _unseen(stakes: Stakes) -> str:
    """Say that contrasts which these cells do not show had no say."""
    there, seen = stakes.contrasts
    if seen == there:
        return ""
    chance = round(CHANCE * there)
    doubt = f" (as chance shows some {chance}, these may be none)" if seen <= 2 * chance else ""
    return (
        f"{seen} of {counted(there, 'contrast')} between classes chose{doubt}: the others are not told from chance in "
        "these cells, and what tells such classes may be erased: look at more cells (--cells), or at fewer classes"
    )


def _adding_up(whole: Mapping[str, Any]) -> str:
    """Say that operations which each take little take much together."""
    if whole["cost"] <= LOST:
        return ""
    return (
        f"all operations together take {whole['cost']:.0%} of {whole['contrast']}, though each alone is "
        "within the budget: lower it (--budget), or take out what bridges least"
    )

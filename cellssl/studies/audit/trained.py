"""What training made an encoder blind to, beside what the audit said before."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from cellssl.arguments import whole_numbers
from cellssl.augment import View
from cellssl.crops import Crops
from cellssl.embedding.trained import trained
from cellssl.errors import StudyError
from cellssl.files import check_folder, make_folder, write_csv
from cellssl.progress import track
from cellssl.protocols import from_dict
from cellssl.report.figures.audit import invariance_figure
from cellssl.report.figures.style import save_figure
from cellssl.studies.audit.cases import WHOLE, Case, cases_of
from cellssl.studies.audit.cells import Cells, open_cells
from cellssl.studies.audit.nuisances import nuisance_columns
from cellssl.studies.audit.references import USUAL, Reference, references_named
from cellssl.studies.audit.standing import Moved
from cellssl.studies.audit.together import Together
from cellssl.training import load_checkpoint
from cellssl.words import counted, listed


@dataclass(frozen=True)
class Invariances:
    """A trained encoder beside the reference that its protocol was audited in.

    Attributes
    ----------
    run : str
        The encoder.
    operations : DataFrame
        operation, amplitude, groups (of views that do it, where the protocol names several), and for
        ``reference`` and ``encoder`` each: moved (root mean square, in units of the root mean square distance of
        two cells) and cost (share of contrast lost).
    contrasts : DataFrame
        class_a, class_b, before (d' in the reference), predicted (after the whole view's
        displacements), encoder (d' in the encoder), told (whether that is more than chance). Empty
        without a label.
    """

    run: str
    operations: pd.DataFrame
    contrasts: pd.DataFrame

    def __repr__(self) -> str:
        rows, pairs = len(self.operations), len(self.contrasts)
        return (
            f"Invariances({self.run}, {counted(rows, 'operation')}, {counted(pairs, 'contrast')})"
        )

    @property
    def agreement(self) -> float:
        """Spearman correlation of predicted and found contrasts; NaN below five of them."""
        if len(self.contrasts) < 5:
            return float("nan")
        return float(spearmanr(self.contrasts["predicted"], self.contrasts["encoder"]).statistic)

    @property
    def forgotten(self) -> list[str]:
        """Name the contrasts that the encoder does not tell, those first that were plainest before."""
        lost = self.contrasts[~self.contrasts["told"].astype(bool)]
        lost = lost.sort_values("before", ascending=False, kind="stable")
        return [f"{a} against {b}" for a, b in lost[["class_a", "class_b"]].to_numpy().tolist()]

    def figure(self) -> Figure:
        """Draw both side by side."""
        title = f"What {self.run} became blind to"
        return invariance_figure(self.operations, self.contrasts, title=title)

    def save(self, folder: str | Path) -> Path:
        """Write tables and figure into a folder."""
        folder = make_folder(folder)
        for name in ("operations", "contrasts"):
            write_csv(getattr(self, name), folder / f"{name}.csv")
        save_figure(self.figure(), folder / "invariances.png")
        return folder


@whole_numbers(error=StudyError, cells=1, draws=1, seed=0)
def invariances(
    run: str | Path,
    crops: Crops | str | Path,
    out: str | Path | None = None,
    *,
    head: str | None = None,
    label: str | None = None,
    reference: str = USUAL,
    weights: str | Path | None = None,
    cells: int = 300,
    draws: int = 2,
    where: str | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Invariances:
    """Measure how far its protocol's operations move cells in a trained encoder's features.

    Parameters
    ----------
    run
        A run folder or checkpoint.
    crops
        The crop file.
    out
        A folder for tables and the figure.
    head
        Look at the space of one of the run's heads, as `cellssl.embed` does; contrasts are then
        predicted after the views of its own group, else after those of the first.
    label, reference, weights, cells, draws, where, seed
        As in `cellssl.audit`.

    Raises
    ------
    ModelError
        When there is no such run or head.
    StudyError
        When the run was not trained by a protocol on crops.
    """
    if out is not None:
        check_folder(out)
    crops = Crops.open(crops)
    extractor = trained(Path(run), crops, head=head)
    saved = load_checkpoint(Path(run))
    if "protocol" not in saved:
        raise StudyError(f"{run} does not say what protocol it was trained by")
    protocol = from_dict(saved["protocol"], source=str(run))
    sample, column = open_cells(
        protocol, crops, label=label, cells=cells, where=where, scaling=extractor.sees.scaling
    )
    cases = cases_of(protocol, sample.channels, crops.mask_names, [1.0])
    encoder = Reference("encoder", extractor.network.eval())
    known = references_named(reference, sample.channels, weights=weights, seed=seed)
    whole = _whole(cases, head)
    view = cases[whole].views[0]
    standings = [_stand(sample, each, view, column) for each in (known, [encoder])]
    moves = []
    for case in track(cases, f"look at {extractor.name}", shown=progress):
        made = sample.moved(case, (*known, encoder), draws=draws, seed=seed)
        moves.append([standing.moved(made, turned=case.turns) for standing in standings])
    rows = [_row(case, standings, moved) for case, moved in zip(cases, moves, strict=True)]
    contrasts = _contrasts(standings[0], standings[1], moves[whole][0])
    result = Invariances(extractor.name, pd.DataFrame(rows), contrasts)
    if out is not None:
        result.save(out)
    return result


def _whole(cases: list[Case], head: str | None) -> int:
    """Find the whole view of the head's own group; of the first group where an encoder is looked at."""
    return next(
        at
        for at, case in enumerate(cases)
        if case.operation.startswith(WHOLE) and (not head or not case.groups or head in case.groups)
    )


def _stand(sample: Cells, references: list[Reference], view: View, column: str | None) -> Together:
    """Measure the cells as they are embedded."""
    named = nuisance_columns(sample.obs, None, but=column)
    features = sample.unchanged(view, references)
    return Together(references, features, sample.obs, label=column, nuisances=named)


def _row(case: Case, standings: list[Together], moved: list[list[Moved]]) -> dict[str, object]:
    """Note what a case does in both spaces."""
    row: dict[str, object] = {"operation": case.operation, "amplitude": case.amplitude}
    row["groups"] = listed(case.groups) if case.groups else ""
    for name, standing, moves in zip(("reference", "encoder"), standings, moved, strict=True):
        row[f"moved_{name}"] = moves[0].distance / standing.first.spread()
        row[f"cost_{name}"] = standing.cost(moves)
    return row


def _contrasts(reference: Together, encoder: Together, whole: list[Moved]) -> pd.DataFrame:
    """Put what was predicted of each contrast beside what the encoder shows."""
    columns = ["class_a", "class_b", "before", "predicted", "encoder", "told"]
    told = encoder.pairs >= encoder.least
    after, names = reference.separations(whole), reference.groups.names
    rows = [
        (names[a], names[b], reference.pairs[a, b], after[a, b], encoder.pairs[a, b], told[a, b])
        for a, b in reference.visible().tolist()
    ]
    return pd.DataFrame(rows, columns=columns)

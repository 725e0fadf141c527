"""What a study will cost, from a short timing."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from cellssl.crops import Crops
from cellssl.errors import CellsslError, StoppedError, StudyError
from cellssl.progress import track
from cellssl.protocols import Protocol, resolve
from cellssl.studies.experiment import train
from cellssl.studies.planning import plan_runs
from cellssl.studies.readiness import check_ready
from cellssl.studies.study import Study
from cellssl.studies.suitability import trainable
from cellssl.training import make_plan, pick_device


@dataclass(frozen=True)
class Estimate:
    """What a study will cost.

    Attributes
    ----------
    runs : int
        Trainings in all.
    seconds : float
        One after the other on this device; embedding and scores left out.
    timed : int
        Combinations that were timed: of those with the same training settings and the same kinds of
        operations one.
    """

    runs: int
    seconds: float
    timed: int


def estimate(
    study: Study, crops: str | Path, *, device: str = "auto", steps: int = 6, progress: bool = False
) -> Estimate:
    """Estimate a study's time from two short epochs of each kind of combination.

    The first, in which a step is compiled and recorded where there is a GPU, is not counted.
    Amplitudes hardly change the time: combinations that differ in nothing else are timed once.

    Raises
    ------
    CellsslError
        When the study cannot be carried out on these crops.
    """
    runs = plan_runs(study)
    check_ready(study, runs, Path(crops))
    cells = trainable(Crops.open(crops))
    steps = steps if pick_device(device).type == "cpu" else 10 * steps
    kinds = {run.folder: _kind(run.protocol) for run in runs}
    firsts = {kinds[run.folder]: run.protocol for run in reversed(runs)}
    counts = Counter(kinds.values())
    seconds = sum(
        counts[kind] * _seconds(protocol, Path(crops), cells, device=device, steps=steps)
        for kind, protocol in track(firsts.items(), "timing", shown=progress)
    )
    return Estimate(len(runs), seconds, len(firsts))


def _kind(protocol: Protocol) -> str:
    """Give all that a training's time follows from: everything but amplitudes and the seed."""
    settings = protocol.training.model_dump(mode="json", exclude={"seed"})
    views = [
        ([one.name for one in recipe.operations], recipe.count, recipe.size)
        for recipe in protocol.views
    ]
    crop = (protocol.crop.size, protocol.crop.interpolation)
    return repr((settings, views, protocol.groups, str(protocol.positives), crop))


def _seconds(protocol: Protocol, crops: Path, cells: int, *, device: str, steps: int) -> float:
    """Estimate one run's time from the second of two epochs of some steps."""
    whole = make_plan(cells, protocol.training)
    steps = min(steps, whole.steps)
    few = {
        "training.epochs": 2,
        "training.samples_per_epoch": steps * whole.cells,
        "training.warmup_epochs": None,
    }
    short = resolve(protocol, few)
    with TemporaryDirectory() as folder:
        run = Path(folder) / "timing"
        try:
            train(crops, short, run, device=device, warn=False, progress=False)
        except (StoppedError, KeyboardInterrupt) as stop:  # nothing is kept that could go on
            raise type(stop)(f"stopped while {protocol.name} was timed; no run is begun") from None
        except CellsslError as error:
            # What follows is of a run's folder, which is a passing one.
            reason = str(error).partition(";")[0]
            raise StudyError(f"{protocol.name} cannot be timed on {crops}: {reason}") from error
        rows = pd.read_csv(run / "metrics.csv")
    ends = rows.groupby("epoch")["seconds"].max()
    return float(ends.loc[2] - ends.loc[1]) / steps * whole.steps * whole.epochs

"""What a study will cost, from a short timing."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from cellssl.crops import Crops
from cellssl.phenotypes import held_out
from cellssl.protocols import Protocol, resolve
from cellssl.studies.experiment import train
from cellssl.studies.planning import plan_runs
from cellssl.studies.study import Study
from cellssl.training import make_plan, pick_device

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True)
class Estimate:
    """What a study will cost.

    Attributes
    ----------
    runs : int
        Trainings in all.
    seconds : float
        One after the other on this device, embedding left out.
    """

    runs: int
    seconds: float


def estimate(study: Study, crops: str | Path, *, device: str = "auto", steps: int = 6) -> Estimate:
    """Estimate a study's time from two short epochs of each combination.

    The first, in which a step is compiled and recorded where there is a GPU, is not counted.
    """
    runs = plan_runs(study)
    cells = int((~held_out(Crops.open(crops).obs)).sum())
    steps = steps if pick_device(device).type == "cpu" else 10 * steps
    seconds = sum(
        _seconds(run.protocol, Path(crops), cells, device=device, steps=steps)
        for run in runs
        if run.seed == 0
    )
    return Estimate(len(runs), seconds * study.seeds)


def _seconds(protocol: Protocol, crops: Path, cells: int, *, device: str, steps: int) -> float:
    """Estimate one run's time from the second of two epochs of some steps."""
    whole = make_plan(cells, protocol.training)
    steps = min(steps, whole.steps)
    short = resolve(
        protocol,
        {
            "training.epochs": 2,
            "training.samples_per_epoch": steps * whole.cells,
            "training.warmup_epochs": None,
        },
    )
    with TemporaryDirectory() as folder:
        train(short, crops, Path(folder) / "timing", device=device, progress=False)
        rows = pd.read_csv(Path(folder) / "timing" / "metrics.csv")
    ends = rows.groupby("epoch")["seconds"].max()
    return float(ends.loc[2] - ends.loc[1]) / steps * whole.steps * whole.epochs

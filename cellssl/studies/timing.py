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
    """Estimate a study's time from some steps of each combination.

    The first step, which loads and compiles, is not counted.
    """
    runs = plan_runs(study)
    cells = int((~held_out(Crops.open(crops).obs)).sum())
    seconds = sum(
        _seconds(run.protocol, Path(crops), cells, device=device, steps=steps)
        for run in runs
        if run.seed == 0
    )
    return Estimate(len(runs), seconds * study.seeds)


def _seconds(protocol: Protocol, crops: Path, cells: int, *, device: str, steps: int) -> float:
    """Estimate one run's time: epochs of one step each, their median less the first."""
    settings = protocol.training
    each = min(settings.batch_size * settings.accumulate, cells)
    short = resolve(
        protocol,
        {
            "training.epochs": steps,
            "training.samples_per_epoch": each,
            "training.warmup_epochs": None,
        },
    )
    with TemporaryDirectory() as folder:
        train(short, crops, Path(folder) / "timing", device=device, progress=False)
        rows = pd.read_csv(Path(folder) / "timing" / "metrics.csv")
    per_step = float(rows["seconds"].diff().iloc[1:].median())
    return per_step * max((settings.samples_per_epoch or cells) // each, 1) * settings.epochs

"""Carrying a study out: run by run, several at once, each in a folder of its own."""

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from cellssl.cells.cluster import spread_on
from cellssl.cells.pool import Died, Workers
from cellssl.crops import Crops
from cellssl.embedding import embed
from cellssl.errors import CellsslError
from cellssl.files import atomic, make_folder
from cellssl.progress import bar
from cellssl.protocols import from_dict, require_fit, resolve
from cellssl.studies.experiment import train
from cellssl.studies.ledger import fingerprint
from cellssl.studies.planning import PlannedRun, plan_runs
from cellssl.studies.study import Study
from cellssl.training import CHECKPOINT, load_checkpoint

__all__ = ["Estimate", "carry_out", "estimate", "run_states"]

_LOG = logging.getLogger(__name__)
EMBEDDING, DONE = "embedding.h5ad", "finished.json"


@dataclass(frozen=True)
class _Task:
    """One run, as a worker process or another machine is told of it."""

    name: str
    protocol: dict
    crops: str
    folder: str
    where: str | None
    device: str


def run_folder(out: Path, run: PlannedRun) -> Path:
    """Say where a run lies."""
    return out / "runs" / run.folder


def carry_out(
    study: Study,
    crops: str | Path,
    out: str | Path,
    *,
    device: str = "auto",
    jobs: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
) -> dict[str, str]:
    """Train and embed whatever is not there yet.

    Parameters
    ----------
    study : Study
        The question.
    crops : path
        The crop file.
    out : path
        The study's folder; runs lie in ``runs``.
    device : str
        "auto", "cpu", "cuda" or "mps".
    jobs : int
        Runs at once, in processes of their own: on one GPU as many as its memory holds.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers take the runs instead.
    progress : bool
        Whether a bar is drawn.

    Returns
    -------
    dict
        Run's folder → why it failed; empty where none did.
    """
    out = make_folder(out)
    runs = plan_runs(study)
    _check_fit(runs, Path(crops))
    study.save(out)
    tasks = [
        _Task(
            run.combination,
            run.protocol.to_dict(),
            str(Path(crops).absolute()),
            str(run_folder(out, run).absolute()),
            study.where,
            device,
        )
        for run in runs
        if not finished(run_folder(out, run), Path(crops), run, study.where)
    ]
    failed: dict[str, str] = {}
    with Workers(jobs) as workers, bar(shown=progress) as display:
        results = spread_on(scheduler, _run, tasks) if scheduler else workers.spread(_run, tasks)
        line = display.add_task(
            study.name, total=len(runs), completed=len(runs) - len(tasks), note=""
        )
        for task, problem in results:
            name = Path(task.folder).name
            if problem:
                died = "its process was killed, twice: too little memory?"
                failed[name] = died if isinstance(problem, Died) else problem
                _LOG.warning("%s failed: %s", name, failed[name])
            display.update(line, advance=1, note=name)
    return failed


def _check_fit(runs: list[PlannedRun], crops: Path) -> None:
    """Find what cannot work before anything is trained."""
    opened = Crops.open(crops)
    told: Counter[str] = Counter()
    for run in runs:
        if run.seed == 0:
            found = require_fit(
                run.protocol,
                channels=opened.channels,
                stored_size=opened.size,
                masks=opened.mask_names,
                columns=list(opened.obs.columns),
            )
            told.update(finding.message for finding in found)
    for message, count in told.items():
        _LOG.warning("%s (%d of the combinations)", message, count)


def _inputs(protocol: dict, crops: Path, where: str | None) -> dict:
    """Name all that an embedding follows from."""
    return {"protocol": protocol, "crops": fingerprint(crops), "where": where}


def finished(folder: Path, crops: Path, run: PlannedRun, where: str | None) -> bool:
    """Whether a run's embedding is there, and is this run's."""
    try:
        done = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return False
    wanted = json.loads(json.dumps(_inputs(run.protocol.to_dict(), crops, where)))
    return (folder / EMBEDDING).exists() and done["inputs"] == wanted


def _run(task: _Task) -> str:
    """Train and embed one run; give what went wrong, or nothing."""
    folder, crops = Path(task.folder), Path(task.crops)
    began = time.perf_counter()
    try:
        protocol = from_dict(task.protocol)
        train(protocol, crops, folder, device=task.device, progress=False)
        embed(
            crops,
            folder,
            folder / EMBEDDING,
            name=task.name,
            where=task.where,
            device=task.device,
            progress=False,
        )
        record = {
            "inputs": _inputs(task.protocol, crops, task.where),
            "seconds": round(time.perf_counter() - began, 1),
        }
        with atomic(folder / DONE) as part:
            part.write_text(json.dumps(record), encoding="utf-8")
    except (CellsslError, OSError, RuntimeError) as error:  # the others go on
        return f"{type(error).__name__}: {error}"
    return ""


def run_states(study: Study, out: str | Path) -> pd.DataFrame:
    """Say how far each run is.

    Returns
    -------
    DataFrame
        run, one column an axis, seed, state (finished, trained, "epoch 3 of 25", not begun),
        seconds.
    """
    return pd.DataFrame(_states(plan_runs(study), Path(out)))


def _states(runs: list[PlannedRun], out: Path) -> Iterator[dict[str, object]]:
    for run in runs:
        folder = run_folder(out, run)
        state, seconds = "not begun", float("nan")
        if (folder / DONE).exists():
            done = json.loads((folder / DONE).read_text(encoding="utf-8"))
            state, seconds = "finished", done["seconds"]
        elif (folder / CHECKPOINT).exists():
            saved = load_checkpoint(folder)
            epochs = f"epoch {saved['epoch']} of {run.protocol.training.epochs}"
            state = "trained" if saved["finished"] else epochs
        yield {
            "run": run.folder,
            **run.settings,
            "seed": run.seed,
            "state": state,
            "seconds": seconds,
        }


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
    cells = len(Crops.open(crops))
    seconds = 0.0
    for run in runs[: len(runs) // study.seeds]:
        settings = run.protocol.training
        each = settings.batch_size * settings.accumulate
        with TemporaryDirectory() as folder:
            short = resolve(
                run.protocol,
                {
                    "training.epochs": steps,
                    "training.samples_per_epoch": min(each, cells),
                    "training.warmup_epochs": None,
                },
            )
            train(short, crops, Path(folder) / "timing", device=device, progress=False)
            rows = pd.read_csv(Path(folder) / "timing" / "metrics.csv")
        per_step = rows["seconds"].diff().iloc[1:].median()
        count = max((settings.samples_per_epoch or cells) // each, 1) * settings.epochs
        seconds += float(per_step) * count * study.seeds
    return Estimate(len(runs), seconds)

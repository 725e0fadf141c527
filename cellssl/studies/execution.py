"""Carrying a study out: run by run, several at once, each in a folder of its own."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from dask.system import CPU_COUNT

from cellssl.cells.cluster import spread_on
from cellssl.cells.pool import Died, Workers
from cellssl.crops import Crops
from cellssl.embedding import embed
from cellssl.errors import CellsslError, StoppedError, StudyError
from cellssl.files import make_folder, write_text
from cellssl.progress import bar
from cellssl.studies.experiment import train
from cellssl.studies.ledger import fingerprint, plain, read_record, same
from cellssl.studies.planning import PlannedRun, plan_runs
from cellssl.studies.readiness import check_ready
from cellssl.studies.study import Study
from cellssl.training import CHECKPOINT, load_checkpoint
from cellssl.training.settings import LATER

_LOG = logging.getLogger(__name__)
RUNS, FAILURES = "runs", "failures.json"
EMBEDDING, DONE = "embedding.h5ad", "finished.json"


@dataclass(frozen=True)
class _Task:
    """One run, as a worker process or another machine is told of it."""

    run: PlannedRun
    study: Study
    crops: Path
    folder: Path
    device: str
    threads: int | None  # of a run's own where several run at once; None for torch's choice


def run_folder(out: Path, run: PlannedRun) -> Path:
    """Say where a run lies."""
    return out / RUNS / run.folder


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
        The crop file, or the folder that holds it.
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
    out, runs = Path(out), plan_runs(study)
    crops = Crops.open(crops).path
    check_ready(study, runs, crops, out / RUNS)
    study.save(make_folder(out))
    threads = None if jobs == 1 or scheduler else max(1, CPU_COUNT // jobs)
    tasks = [
        _Task(run, study, crops, run_folder(out, run).absolute(), device, threads)
        for run in runs
        if not finished(run_folder(out, run), run, study, crops)
    ]
    failed: dict[str, str] = {}
    _note_failures(out, failed)
    with Workers(jobs) as workers, bar(shown=progress) as display:
        results = spread_on(scheduler, _run, tasks) if scheduler else workers.spread(_run, tasks)
        line = display.add_task(
            study.name, total=len(runs), completed=len(runs) - len(tasks), note=""
        )
        for task, problem in results:
            name = task.folder.name
            if problem:
                died = "its process was killed, twice: too little memory?"
                failed[name] = died if isinstance(problem, Died) else problem
                _note_failures(out, failed)
                _LOG.warning("%s failed: %s", name, failed[name])
            display.update(line, advance=1, note=name)
    return failed


def _note_failures(out: Path, failed: Mapping[str, str]) -> None:
    """Keep for `run_states` why runs failed, the last time."""
    write_text(json.dumps(failed, indent=1), out / FAILURES)


def _inputs(run: PlannedRun, study: Study, crops: Path | None) -> dict:
    """Name all that an embedding follows from, as JSON gives it back; crops where they are known."""
    inputs = {
        "protocol": run.protocol.to_dict(),
        "where": study.where,
        "orientations": study.orientations,
    }
    return plain(inputs if crops is None else {**inputs, "crops": fingerprint(crops)})


def finished(folder: Path, run: PlannedRun, study: Study, crops: Path | None = None) -> bool:
    """Whether a run's embedding is there, and is what the study asks for (of these crops).

    Raises
    ------
    StudyError
        When the record that says so is damaged.
    """
    record = read_record(folder / DONE)
    if not record:
        return False
    try:
        done = {"orientations": 1, **record["inputs"]}  # old runs had none
        done["protocol"]["training"] = LATER | done["protocol"]["training"]
    except (KeyError, TypeError) as error:
        raise StudyError(
            f"{folder / DONE} is damaged: delete it, and the run's cells are embedded again; its training is kept."
        ) from error
    wanted = _inputs(run, study, crops)
    return same({key: done.get(key) for key in wanted}, wanted) and (folder / EMBEDDING).exists()


def _run(task: _Task) -> str:
    """Train and embed one run; give what went wrong, or nothing."""
    run, study, crops, folder = task.run, task.study, task.crops, task.folder
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    try:
        train(crops, run.protocol, folder, device=task.device, warn=False, progress=False)
        (folder / DONE).unlink(missing_ok=True)  # it tells of the embedding that is replaced
        embed(
            crops,
            folder,
            folder / EMBEDDING,
            name=run.combination,
            where=study.where,
            orientations=study.orientations,
            device=task.device,
            progress=False,
        )
        metrics = pd.read_csv(folder / "metrics.csv")
        record = {
            "inputs": _inputs(run, study, crops),
            "seconds": round(float(metrics["seconds"].iloc[-1]), 3),  # over all parts of the run
        }
        write_text(json.dumps(record), folder / DONE)
    except StoppedError:
        raise  # whoever stops a run, stops the study
    except CellsslError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other runs go on
        _LOG.debug("%s", run.combination, exc_info=True)
        return f"{type(error).__name__}: {error}"
    return ""


def run_states(study: Study, out: str | Path, crops: str | Path | None = None) -> pd.DataFrame:
    """Say how far each run is.

    Parameters
    ----------
    study, out
        As for `carry_out`.
    crops : path, optional
        The crop file, where it shall be looked whether runs are of these very crops.

    Returns
    -------
    DataFrame
        run, one column an axis, seed, state (finished, trained, "epoch 3 of 25", "failed: …", not
        begun), seconds of training.
    """
    file = None if crops is None else Crops.open(crops).path
    return pd.DataFrame(_states(study, Path(out), file))


def _states(study: Study, out: Path, crops: Path | None) -> Iterator[dict[str, object]]:
    failures = read_record(out / FAILURES)
    for run in plan_runs(study):
        folder = run_folder(out, run)
        state, seconds = "not begun", float("nan")
        if finished(folder, run, study, crops):
            state, seconds = "finished", read_record(folder / DONE)["seconds"]
        elif run.folder in failures:
            state = f"failed: {failures[run.folder]}"
        elif (folder / DONE).exists():
            state = "finished, but of other crops or settings"
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

"""A plate's fields → crops on disk; a finished field is kept, whatever happens to the process."""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cellssl.cells.assembly import assemble
from cellssl.cells.job import Job, Task, cut_field
from cellssl.cells.labels import Segmenter
from cellssl.cells.parts import Part
from cellssl.cells.pool import Died, spread
from cellssl.cells.tally import CropReport
from cellssl.cells.threshold import ThresholdSegmenter
from cellssl.errors import CropError
from cellssl.files import atomic, locked, make_folder
from cellssl.plates import PlateIndex
from cellssl.progress import track

__all__ = ["crop"]

_LOG = logging.getLogger(__name__)
CROPS, TABLE, RECORD, PARTS = "crops.h5ad", "fields.csv", "crop.json", "parts"
_DIED = "the worker process died on this field, twice (out of memory?)"


def crop(
    index: PlateIndex,
    out: str | Path,
    *,
    segmenter: Segmenter | None = None,
    size: int = 96,
    masks: bool = True,
    workers: int = 1,
    progress: bool = True,
) -> CropReport:
    """Find the cells of a plate and cut a window around each nucleus.

    Writes ``crops.h5ad`` (see `cellssl.crops.Crops`), ``fields.csv`` (a row per field: found, kept,
    dropped for which reason, what was wrong) and ``crop.json`` (the settings) into `out`. Cells
    whose window leaves the image are dropped as ``border``, nuclei smaller than a fifth of their
    plate's median area as ``fragment``; both are counted, so that found = kept + dropped for every
    field. A field that cannot be read, or differs from its plate in size or type, is left out with
    its reason in ``fields.csv``; everything else is finished.

    Each finished field is kept in ``parts/`` until all are done: killed at any moment, the same
    call goes on from there, and ``crops.h5ad`` has the same bytes as without the interruption. When
    it is there already, nothing is done.

    Parameters
    ----------
    index : PlateIndex
        The fields.
    out : path
        The folder.
    segmenter : Segmenter, optional
        Finds the nuclei; by default `ThresholdSegmenter` with the size estimated from the data.
    size : int
        Height and width of the crops in pixels; 1.5 times what the encoder will see is a good
        choice.
    masks : bool
        Whether to store the nuclei's (and cells') masks.
    workers : int
        Processes.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    CellsslError
        When the segmenter does not fit the channels, `out` is not writable, used by another
        process, or holds crops of other settings.

    Examples
    --------
    >>> report = crop(index("plate", pattern=...), "out")  # doctest: +SKIP
    >>> report.summary()  # doctest: +SKIP
    '21,878 cells found on 96 fields, 14,557 kept; dropped: 6,500 border, 821 fragment'
    """
    segmenter = segmenter or ThresholdSegmenter()
    segmenter.check(index.channels)
    if size < 2 or not len(index.fields):
        raise CropError(
            f"got crops of {size} px and {len(index.fields)} fields; wanted ≥ 2 and ≥ 1"
        )
    out = make_folder(out)
    job = Job(segmenter, tuple(index.channels), size, masks)
    with locked(out):
        return _crop(index, out, job, workers=workers, shown=progress)


def _crop(index: PlateIndex, out: Path, job: Job, *, workers: int, shown: bool) -> CropReport:
    """Do what `crop` says, alone in the folder."""
    tasks = [job.task(row, out / PARTS) for row in index.fields.to_dict("records")]
    record = {"settings": job.settings(), "fields": _fingerprint(index, tasks)}
    if _finished(out, record):
        _LOG.info("%s is finished already; nothing to do", out / CROPS)
        return CropReport.read(out / CROPS, out / TABLE)
    _begin(out, record)
    wrong = _cut_fields(tasks, workers=workers, shown=shown)
    parts = [None if task.part in wrong else Part(task.part) for task in tasks]
    problems = [wrong.get(task.part, "") for task in tasks]
    settings = job.settings()
    # The table is written before the crops: crops.h5ad being there says that all is done.
    assemble(index, parts, problems, out=out / CROPS, table=out / TABLE, settings=settings)
    shutil.rmtree(out / PARTS)
    return CropReport.read(out / CROPS, out / TABLE)


def _fingerprint(index: PlateIndex, tasks: Sequence[Task]) -> str:
    """Hash the fields, their metadata and files: when one changes, the crops are made anew."""
    text = index.fields.to_csv(index=False) + "".join(task.part.name for task in tasks)
    return hashlib.sha256(text.encode()).hexdigest()


def _finished(out: Path, record: Mapping[str, Any]) -> bool:
    """Say whether the folder holds just these crops; refuse one with crops of other settings."""
    there = (out / RECORD).is_file()
    before = json.loads((out / RECORD).read_text()) if there else record
    if before["settings"] != record["settings"]:
        changed = _differences(before["settings"], record["settings"])
        raise CropError(
            f"{out} holds crops made with other settings ({changed}); choose another folder with "
            "--out, or delete this one"
        )
    complete = there and (out / CROPS).is_file() and (out / TABLE).is_file()
    return complete and before["fields"] == record["fields"]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the settings that differ: `size: 64, now 96`."""
    old, new = (dict(_flat(settings)) for settings in (before, now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return "; ".join(f"{key}: {old.get(key)}, now {new.get(key)}" for key in keys)


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value


def _begin(out: Path, record: Mapping[str, Any]) -> None:
    """Clear what a killed run left behind, apart from its finished fields; note the settings."""
    for name in (CROPS, TABLE, RECORD):
        for leftover in out.glob(f".{name}.*"):
            leftover.unlink()
    for stale in (CROPS, TABLE):
        (out / stale).unlink(missing_ok=True)
    make_folder(out / PARTS)
    for leftover in (out / PARTS).glob(".*"):
        leftover.unlink()
    with atomic(out / RECORD) as path:
        path.write_text(json.dumps(record, indent=1))


def _cut_fields(tasks: Sequence[Task], *, workers: int, shown: bool) -> dict[Path, str]:
    """Do all fields that have no part yet; give what was wrong with those that cannot be done."""
    left = [task for task in tasks if not task.part.is_file()]
    if len(left) < len(tasks):
        _LOG.info("%d of %d fields are done already", len(tasks) - len(left), len(tasks))
    problems: dict[Path, str] = {}
    results = spread(cut_field, left, workers=min(workers, len(left)))
    for task, result in track(results, "cropping", total=len(left), shown=shown):
        problem = _DIED if isinstance(result, Died) else result
        if problem:
            problems[task.part] = problem
            _LOG.warning("field left out: %s", problem)
    return problems

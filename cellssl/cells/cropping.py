"""A plate's fields → crops on disk; a finished field is kept, whatever happens to the process."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.arguments import whole_numbers
from cellssl.cells.assembly import Assembly
from cellssl.cells.cluster import spread_on
from cellssl.cells.folder import CropFolder
from cellssl.cells.job import Job, cut_field
from cellssl.cells.parts import is_whole
from cellssl.cells.pool import Died, Spread, Workers
from cellssl.cells.quality.judging import check_reasons
from cellssl.cells.remarks import remarks_on
from cellssl.cells.segmentation.labels import Segmenter
from cellssl.cells.segmentation.threshold import ThresholdSegmenter
from cellssl.cells.shading import measure_shading
from cellssl.cells.tally import CropReport
from cellssl.cells.tasks import Tasks
from cellssl.columns import FIELD
from cellssl.crops import Crops
from cellssl.errors import CropError
from cellssl.files import locked, make_folder
from cellssl.framing import MOST_BINNED
from cellssl.plates import PlateIndex
from cellssl.plates.illumination import Method, check_method
from cellssl.progress import track

_LOG = logging.getLogger(__name__)
_SAID = 10  # fields that are left out are named one by one up to so many
_DIED = "the worker process died on this field, twice (out of memory?)"


@whole_numbers(error=CropError, size=2, binning=0, workers=1)
def crop(
    index: PlateIndex | str | Path,
    out: str | Path,
    *,
    segmenter: Segmenter | None = None,
    size: int = 96,
    masks: bool = True,
    binning: int = 1,
    illumination: Method = "median",
    keep: Sequence[str] = (),
    workers: int = 1,
    scheduler: str | None = None,
    progress: bool = True,
) -> CropReport:
    """Find the cells of a plate and cut a window around each nucleus.

    Uneven illumination is estimated for each plate and channel and divided out of every field (see
    `cellssl.plates.illumination`; plates with fewer than 16 fields stay as they are). Cells whose
    window leaves the image are dropped as ``border``; cells and fields that are no good for one of
    the other `REASONS` (see `cellssl.cells.quality.judging`) are dropped too, each cell for one reason, so
    that found = kept + dropped for every field. A field that cannot be read, or differs from its
    plate in size or type, is left out with its reason in ``fields.csv``; everything else is
    finished.

    Writes into `out`: ``crops.h5ad`` (see `cellssl.crops.Crops`); ``fields.csv``, a row per field
    (found, kept, dropped for which reason, what was measured, what was wrong); ``dropped.csv``, a row
    per cell that was cut and dropped; ``illumination.npz``; ``crop.json``, the settings and remarks on the images.

    Each finished field is kept in ``parts/`` until all are done: killed at any moment, the same
    call goes on from there, and ``crops.h5ad`` has the same bytes as without the interruption. When
    it is there already, nothing is done.

    Parameters
    ----------
    index : PlateIndex or path
        The fields, or their saved table.
    out : path
        The folder.
    segmenter : Segmenter, optional
        Finds the nuclei; by default `ThresholdSegmenter` with the size estimated from the data.
    size : int
        Height and width of the crops in pixels; 1.5 times what the encoder will see is a good
        choice.
    masks : bool
        Whether to store the nuclei's (and cells') masks.
    binning : int
        Side of the blocks of pixels that are averaged as a field is read: 2 makes of a plate at 40x
        one at 20x, in a quarter of the time and room. All that is in pixels (`size`, a segmenter's
        diameter, areas) means binned ones, apart from where a cell lies in its field.
    illumination : str
        ``median``, ``basicpy`` (where it is installed) or ``none``.
    keep : sequence of str
        Reasons that shall not drop a cell; ``obs["Quality_Reason"]`` marks it all the same.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler (``tcp://host:8786``) whose workers do the fields instead; they
        need the same files under the same paths.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    CellsslError
        When the segmenter does not fit the channels, `out` is not writable, full, used by another
        process, or holds crops of other settings.

    Examples
    --------
    >>> report = crop(index("plate", pattern=...), "out")  # doctest: +SKIP
    >>> report.summary()  # doctest: +SKIP
    '21,119 cells found on 96 fields, 14,430 kept; dropped: 6,370 border, 318 fragment, 1 noise'
    """
    if not isinstance(index, PlateIndex):
        index = PlateIndex.load(index)
    segmenter = segmenter or ThresholdSegmenter()
    segmenter.check(index.channels)
    check_method(illumination)
    check_reasons(keep)
    if not 1 <= binning <= MOST_BINNED:
        raise CropError(f"got a binning of {binning}, wanted 1 (none) to {MOST_BINNED}")
    if not len(index.fields):
        raise CropError(
            "the index has no complete field: look at its problems (`cellssl plates index` lists them, "
            "and writes them to <index>.problems.csv) and index the plate again"
        )
    if scheduler is not None and workers != 1:
        raise CropError(
            "the workers of a cluster are its own: give --workers or --scheduler, not both"
        )
    _check_fields(index)
    folder = CropFolder(make_folder(out).resolve())  # workers of a cluster start elsewhere
    job = Job(segmenter, tuple(index.channels), size, masks, binning)
    settings = job.settings() | {"illumination": illumination, "keep": sorted(keep)}
    with locked(folder.path):
        try:
            return _crop(index, folder, job, settings, workers, scheduler, shown=progress)
        except OSError as error:
            raise CropError(
                f"cannot write to {folder.path}: {error.strerror or error}. What is finished is kept: make "
                "room and give the same command again."
            ) from error


def _check_fields(index: PlateIndex) -> None:
    """Make sure that every field is there once: cells are named by plate, well and site."""
    lacking = [key for key in FIELD if key not in index.fields]
    if lacking:
        raise CropError(f"the index has no column {', '.join(lacking)}; every field needs one")
    twice = index.fields[index.fields[FIELD].astype(str).duplicated()]
    if len(twice):
        place = "/".join(map(str, twice[FIELD].iloc[0]))
        raise CropError(
            f"{len(twice):,} rows of the index name a field that is there already, e.g. {place}: leave "
            "one row for each plate, well and site"
        )


def _crop(
    index: PlateIndex,
    folder: CropFolder,
    job: Job,
    settings: Mapping[str, Any],
    workers: int,
    scheduler: str | None,
    *,
    shown: bool,
) -> CropReport:
    """Do what `crop` says, alone in the folder."""
    tasks = Tasks.of(job, index.fields, folder.parts)
    record = {
        "settings": settings,
        "plates": sorted(set(tasks.plates)),
        "fields": tasks.fingerprint(),
    }
    if folder.holds(record):
        folder.forget_parts()  # of a run that was killed when all but this was done
        _LOG.info("%s is finished already; nothing to do", folder.crops)
        return CropReport.read(folder)
    if folder.crops.is_file():
        _LOG.info(
            "%s is made again: it is of other images or metadata of these plates, or was not looked through to its end",
            folder.crops,
        )
    folder.begin(record)
    with Workers(min(workers, len(tasks))) as here:
        spread = here.spread if scheduler is None else partial(spread_on, scheduler)
        shading = measure_shading(
            tasks, settings["illumination"], folder.illumination, spread=spread, shown=shown
        )
        tasks = tasks.lit(shading.maps)
        wrong = _cut_fields(tasks, spread, shown=shown)
        folder.require_room(part for part in tasks.parts if part not in wrong)
        nucleus = getattr(job.segmenter, "nucleus_channel", None)
        assembly = Assembly(tasks, wrong, {**settings, "nucleus": nucleus}, shown=shown)
        assembly.write(folder, here, shown=shown)
    folder.keep_remarks([*remarks_on(assembly, job, Crops.open(folder.crops))])
    folder.forget_parts()
    report = CropReport.read(folder)
    for remark in report.remarks:
        _LOG.warning("%s", remark)
    report.say_lost_plates()
    report.say_lost_wells()
    report.say_narrow_fields()
    return report


def _cut_fields(tasks: Tasks, spread: Spread, *, shown: bool) -> dict[Path, str]:
    """Do all fields that have no part yet; give what was wrong with those that cannot be done."""
    there = [number for number, part in enumerate(tasks.parts) if part.exists()]
    done = np.zeros(len(tasks), bool)
    for number in track(there, "looking at finished fields", shown=shown and bool(there)):
        done[number] = is_whole(tasks.part(number))  # to its last pixel
    left = tasks[~done]
    if len(left) < len(tasks):
        _LOG.info("%d of %d fields are done already", len(tasks) - len(left), len(tasks))
    problems: dict[Path, str] = {}
    for task, result in track(spread(cut_field, left), "cropping", total=len(left), shown=shown):
        problem = _DIED if isinstance(result, Died) else result
        if problem:
            problems[task.part] = problem
            if len(problems) <= _SAID:
                _LOG.warning("field left out: %s", problem)
    if len(problems) > _SAID:
        _LOG.warning("and %d more fields left out: see fields.csv", len(problems) - _SAID)
    return problems

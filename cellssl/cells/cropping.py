"""A plate's fields → crops on disk; a finished field is kept, whatever happens to the process."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells.assembly import Assembly
from cellssl.cells.cluster import spread_on
from cellssl.cells.folder import CropFolder
from cellssl.cells.job import Job, Task, cut_field
from cellssl.cells.parts import is_whole
from cellssl.cells.pool import Died, Workers
from cellssl.cells.quality.dust import ENOUGH_FIELDS
from cellssl.cells.quality.judging import check_reasons
from cellssl.cells.segmentation.labels import Segmenter
from cellssl.cells.segmentation.threshold import ThresholdSegmenter
from cellssl.cells.shading import Shading, measure_shading, sample_fields
from cellssl.cells.tally import CropReport
from cellssl.cells.tasks import Tasks
from cellssl.columns import FIELD
from cellssl.crops import say_unlike
from cellssl.errors import CropError
from cellssl.files import locked, make_folder
from cellssl.framing import LOST, MOST_BINNED, VIEW, view_for
from cellssl.plates import PlateIndex
from cellssl.plates.illumination import Method, check_method
from cellssl.progress import track
from cellssl.words import counted, listed

__all__ = ["crop", "stored_size"]

_LOG = logging.getLogger(__name__)
_SAID = 10  # fields that are left out are named one by one up to so many
_ROOMY = 2.0  # diameters of a nucleus: a crop of less cuts cells
_WIDE = 128  # px: a view of so many would do binned
_FULL = 0.02  # of a cell's pixels at the camera's end: some 0.15 is a whole nucleus
_DIED = "the worker process died on this field, twice (out of memory?)"

Spread = Callable[[Callable[[Task], Any], Sequence[Task]], Iterator[tuple[Task, Any]]]


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
    per cell that was cut and dropped; ``illumination.npz``; ``crop.json``, the settings.

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
    '21,147 cells found on 96 fields, 14,442 kept; dropped: 6,378 border, 326 fragment, 1 noise'
    """
    if not isinstance(index, PlateIndex):
        index = PlateIndex.load(index)
    segmenter = segmenter or ThresholdSegmenter()
    segmenter.check(index.channels)
    check_method(illumination)
    check_reasons(keep)
    if size < 2:
        raise CropError(f"got crops of {size} px, wanted 2 or more")
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
    out = make_folder(out).resolve()  # workers of a cluster start elsewhere
    job = Job(segmenter, tuple(index.channels), size, masks, binning)
    settings = job.settings() | {"illumination": illumination, "keep": sorted(keep)}
    spreading = _spreading(min(workers, len(index.fields)), scheduler)
    with locked(out):
        try:
            return _crop(index, CropFolder(out), job, settings, spreading=spreading, shown=progress)
        except OSError as error:
            raise CropError(
                f"cannot write to {out}: {error.strerror or error}. What is finished is kept: make "
                "room and give the same command again."
            ) from error


@contextmanager
def _spreading(workers: int, scheduler: str | None) -> Iterator[tuple[Spread, Workers]]:
    """Give what does fields, on a cluster or here, and the processes here, which end with the block."""
    with Workers(workers) as here:
        yield (here.spread if scheduler is None else partial(spread_on, scheduler)), here


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
    *,
    spreading: AbstractContextManager[tuple[Spread, Workers]],
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
        return CropReport.read(folder.crops, folder.fields)
    if folder.crops.is_file():
        _LOG.info(
            "%s is of other images or metadata of these plates: it is made again", folder.crops
        )
    folder.begin(record)
    method = settings["illumination"]
    with spreading as (work, here):
        tasks = tasks.lit(_shading(tasks, folder.illumination, method, work=work, shown=shown).maps)
        wrong = _cut_fields(tasks, work=work, shown=shown)
        folder.require_room(part for part in tasks.parts if part not in wrong)
        nucleus = getattr(job.segmenter, "nucleus_channel", None)
        assembly = Assembly(tasks, wrong, {**settings, "nucleus": nucleus})
        assembly.write(folder, here, shown=shown)
    folder.forget_parts()
    _say_unusual(assembly.unusual)
    _check_size(job.size, job.binning, assembly.diameters)
    _check_alike(assembly.diameters)
    _check_focus(*assembly.dull())
    _check_exposure(assembly.saturated, index.channels)
    assembly.say_bare()
    _check_dust(assembly.dust)
    report = CropReport.read(folder.crops, folder.fields)
    report.say_lost_plates()
    report.say_lost_wells()
    report.say_narrow_fields()
    return report


def _shading(tasks: Tasks, path: Path, method: Method, *, work: Spread, shown: bool) -> Shading:
    """Estimate each plate's illumination, or none."""
    if method == "none":
        path.unlink(missing_ok=True)
        return Shading(tasks.job.channels, {})
    by_plate: dict[str, list[int]] = {}
    for number, plate in enumerate(tasks.plates):
        by_plate.setdefault(plate, []).append(number)
    sampled = {
        plate: [tasks[number] for number in sample_fields(numbers)]
        for plate, numbers in by_plate.items()
    }

    def tracked(do: Callable[[Task], Any], tasks: list[Task]) -> Iterator[tuple[Task, Any]]:
        return track(work(do, tasks), "illumination", total=len(tasks), shown=shown)

    return measure_shading(sampled, method, path, spread=tracked)


def _cut_fields(tasks: Tasks, *, work: Spread, shown: bool) -> dict[Path, str]:
    """Do all fields that have no part yet; give what was wrong with those that cannot be done."""
    left = tasks[np.array([not is_whole(part) for part in tasks.parts])]
    if len(left) < len(tasks):
        _LOG.info("%d of %d fields are done already", len(tasks) - len(left), len(tasks))
    problems: dict[Path, str] = {}
    for task, result in track(work(cut_field, left), "cropping", total=len(left), shown=shown):
        problem = _DIED if isinstance(result, Died) else result
        if problem:
            problems[task.part] = problem
            if len(problems) <= _SAID:
                _LOG.warning("field left out: %s", problem)
    if len(problems) > _SAID:
        _LOG.warning("and %d more fields left out: see fields.csv", len(problems) - _SAID)
    return problems


def _say_unusual(unusual: Mapping[str, str]) -> None:
    """Say which fields are left out since they differ from most of their plate, kind by kind."""
    for what in list(dict.fromkeys(unusual.values()))[:_SAID]:
        places = [place for place, own in unusual.items() if own == what]
        _LOG.warning(
            "%s left out (%s): %s. Fields of another kind want to be indexed and cropped by themselves",
            counted(len(places), "field"),
            listed(places, most=_SAID),
            what,
        )


def stored_size(view: int) -> int:
    """Crops are stored half as large again as the view, so that rotation brings in real pixels."""
    return 2 * round(view * 1.5 / 2)


def _check_size(size: int, binning: int, diameters: Mapping[str, float]) -> None:
    """Say when crops are far too small or too large for the cells on some plates, once for all."""
    known = {plate: diameter for plate, diameter in diameters.items() if diameter}
    small = {plate: own for plate, own in known.items() if size < _ROOMY * own}
    large = {plate: own for plate, own in known.items() if size > LOST * own}
    for plates, what in ((small, "cells are cut off"), (large, "each shows many cells")):
        if not plates:
            continue
        diameter = float(np.median(list(plates.values())))
        _LOG.warning(
            "plate %s%s: nuclei are usually %.0f px across and crops %d px: %s. %s would suit them%s",
            next(iter(plates)),
            f" and {len(plates) - 1} more" if len(plates) > 1 else "",
            diameter,
            size,
            what,
            _advice(diameter),
            _binned_advice(diameter, binning),
        )


def _check_alike(diameters: Mapping[str, float]) -> None:
    """Say when nuclei are far wider on one plate than on another."""
    known = sorted((diameter, plate) for plate, diameter in diameters.items() if diameter)
    if known:
        (narrow, one), (wide, other) = known[0], known[-1]
        say_unlike(wide, narrow, where=f"on plate {other}", of=f"on plate {one}")


def _check_focus(sharpest: str, dull: Mapping[str, float]) -> None:
    """Say when plates are as a whole far less sharp than another, since fields are judged by their own plate."""
    for plate, share in list(dull.items())[:_SAID]:
        _LOG.warning(
            "plate %s: its cells are %.2f times as sharp as those of plate %s: out of focus as a whole? They are kept, "
            "since cells are judged by what is usual on their plate; leave it out of the index where it is no good",
            plate,
            share,
            sharpest,
        )
    if len(dull) > _SAID:
        _LOG.warning("and %d more plates that are far less sharp", len(dull) - _SAID)


def _check_exposure(saturated: Mapping[str, np.ndarray], channels: Sequence[str]) -> None:
    """Say in which channels (C,) of which plates cells are usually at the camera's end, which none is dropped for."""
    for channel, shares in zip(channels, zip(*saturated.values(), strict=True), strict=False):
        full = {p: s for p, s in zip(saturated, shares, strict=True) if s > _FULL}
        if full:
            _LOG.warning(
                "channel %s of %s: in the usual cell %.0f %% of the pixels are at the camera's end, so that what is "
                "brighter looks alike there. Expose it less, or leave it out by naming the others with --channel",
                channel,
                f"plate {listed([*full], most=_SAID)}",
                100 * max(full.values()),
            )


def _check_dust(dust: Mapping[str, tuple[float, float, int]]) -> None:
    """Say on which plates most fields have an object at one place."""
    for plate, (y, x, fields) in list(dust.items())[:_SAID]:
        _LOG.warning(
            "plate %s: %d of %d fields that were looked at have an object at row %.0f, column %.0f: dust on the camera "
            "or lens, or the same images or labels several times? It counts as a cell of each field",
            plate,
            fields,
            ENOUGH_FIELDS,
            y,
            x,
        )


def _advice(diameter: float) -> str:
    """Say which view and crops show cells whose nuclei have this diameter."""
    view = view_for(diameter)
    return f"A view (the protocol's crop.size) of {view} px, and crops of {stored_size(view)} px (--size),"


def _binned_advice(diameter: float, binning: int) -> str:
    """Say which binning spares time and room where views would be wide; nothing where it spares none."""
    wanted = VIEW * diameter
    by = int(wanted // (_WIDE / 2))
    if wanted < _WIDE or binning * by > MOST_BINNED:
        return ""
    view = view_for(diameter / by)
    return (
        f"; or binned by --binning {binning * by} a view of {view} px, and crops of {stored_size(view)} "
        f"px, in 1/{by**2} of the time and room"
    )

"""Finished fields → one crop file and two tables, with every cell accounted for."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellssl.ahead import one_ahead
from cellssl.cells.folder import CropFolder
from cellssl.cells.parts import facts_type, read_facts
from cellssl.cells.pool import Died, Workers
from cellssl.cells.quality.dust import ENOUGH_FIELDS, find_dust
from cellssl.cells.quality.judging import REASONS, is_overexposed
from cellssl.cells.quality.measures import quality_columns
from cellssl.cells.quality.usual import Usual, usual_by_plate
from cellssl.cells.tasks import Tasks
from cellssl.cells.trials import Judged, Trial, judge
from cellssl.columns import AREA, FIELD, row_names
from cellssl.crops import CropBatch, write_crops
from cellssl.crops.batches import evenly
from cellssl.crops.packing import PackedMasks
from cellssl.crops.placing import StoredPixels
from cellssl.files import atomic
from cellssl.progress import track
from cellssl.words import listed

_AREAS = (AREA, "Area_Cell")
_MASKS = ("nucleus", "cell")
_PROVENANCE = ("segmenter", "illumination", "binning")
_CELLS = 4096  # that are put together at a time, or a field more
_FIELDS = 256  # that are put together at a time, at most
_MOSTLY = 0.75  # of a plate's fields say something of it as a whole
_SAMPLED = 20_000  # cells of a plate that its medians are taken from, evenly over its fields


class Assembly:
    """All finished fields of a plate, judged and ready to be written.

    Memory holds some bytes of each field; its row of the index and its cells are read when it is its
    turn.

    Parameters
    ----------
    tasks : Tasks
        F fields.
    wrong : mapping
        Part → what was wrong, for those that there are none of.
    settings : mapping
        What the crops were made with, for provenance; ``crop_size``, ``binning``, ``masks``,
        ``nucleus`` (the channel, or None) and ``keep`` (reasons that do not drop a cell) among it.
    shown : bool
        Whether a bar is drawn.
    """

    def __init__(
        self,
        tasks: Tasks,
        wrong: Mapping[Path, str],
        settings: Mapping[str, Any],
        *,
        shown: bool,
    ) -> None:
        self._tasks, self._settings = tasks, settings
        self._channels, self._plates = tasks.job.channels, tasks.plates
        names = map(str, tasks.fields)
        self._metadata = [name for name in names if name.startswith("Metadata_")]
        self._problems = {n: wrong[part] for n, part in enumerate(tasks.parts) if part in wrong}
        self._facts = np.zeros(len(tasks), facts_type(len(self._channels)))
        self._objects = 1  # that each cell is: its nucleus, and the whole where cells were found
        self._centers: dict[str, list[np.ndarray]] = {}  # of the first fields of each plate
        samples = self._survey(shown=shown)
        self._unusual = _unusual(self._facts, tasks, self._problems)
        self._problems |= self._unusual
        self.usual = self._usual_by_plate(samples)  # by plate

    @property
    def dust(self) -> dict[str, tuple[float, float, int]]:
        """Place in a field's pixels where most fields of a plate have an object, and of how many; see `find_dust`."""
        found = {plate: find_dust(centers) for plate, centers in self._centers.items()}
        return {
            plate: (self._in_file(dust[0]), self._in_file(dust[1]), dust[2])
            for plate, dust in found.items()
            if dust
        }

    @property
    def transmitted(self) -> list[str]:
        """Plates whose channel of nuclei looks as if light had passed through them, on most fields with cells."""
        whole = [n for n in range(len(self._facts)) if n not in self._problems]
        told = {}
        for plate, numbers in self._tasks.by_plate(whole).items():
            own = self._facts[numbers]
            seen = (own["found"] > 0) & ~is_overexposed(own["saturated"])
            told[plate] = own["transmitted"][seen]
        return [plate for plate, own in told.items() if len(own) and own.mean() > _MOSTLY]

    @property
    def unusual(self) -> dict[str, str]:
        """Fields that are left out since they differ from most, and how; none of plates that have no others."""
        used = {plate for n, plate in enumerate(self._plates) if n not in self._problems}
        told = {n: what for n, what in self._unusual.items() if self._plates[n] in used}
        fields = self._tasks.fields[FIELD].iloc[list(told)]
        return dict(zip(row_names(fields), told.values(), strict=True))

    def write(self, folder: CropFolder, workers: Workers, *, shown: bool) -> None:
        """Write the tables of fields and of dropped cells, and the crops in the order of the index.

        Workers judge; the system copies the pixels from the parts at the end, in as many threads.

        A field's row: metadata; cells found, kept, dropped by reason; what was measured of it; its
        problem. A dropped cell's: metadata, where it lies, its measures, its reason.
        """
        with one_ahead(self._batches(folder, workers, shown=shown)) as batches:
            write_crops(
                folder.crops,
                batches,
                channels=self._channels,
                size=self._settings["crop_size"],
                provenance={name: self._settings[name] for name in _PROVENANCE},
                masks=_MASKS[: self._objects] if self._settings["masks"] else (),
                threads=workers.number,
                progress=shown,
            )

    def _survey(self, *, shown: bool) -> dict[int, np.ndarray]:
        """Read the facts of all fields, and give a sample of the cells of each."""
        whole = [number for number in range(len(self._tasks)) if number not in self._problems]
        counts = Counter(self._plates[number] for number in whole)
        samples = {}
        for number in track(whole, "surveying", shown=shown):
            self._facts[number], cells = read_facts(self._tasks.part(number))
            self._objects = cells["areas"].shape[1]
            centers = self._centers.setdefault(self._plates[number], [])
            if len(centers) < ENOUGH_FIELDS:
                centers.append(cells["center"].copy())
            few = evenly(len(cells), max(_SAMPLED // counts[self._plates[number]], 1))
            samples[number] = cells[["areas", "quality"]][few]
        return samples

    def _usual_by_plate(self, samples: Mapping[int, np.ndarray]) -> dict[str, Usual]:
        """Measure what is usual on each plate, from a sample of its cells and all of its fields."""
        measured = {}
        whole = (number for number in samples if number not in self._problems)
        for plate, numbers in self._tasks.by_plate(whole).items():
            cells = np.concatenate([samples[number] for number in numbers])
            light = self._facts["background"][numbers]
            measured[plate] = (cells["areas"][:, 0], cells["quality"], light)
        return usual_by_plate(measured, self._channels, self._settings["nucleus"])

    def _batches(
        self, folder: CropFolder, workers: Workers, *, shown: bool
    ) -> Generator[CropBatch]:
        """Give the kept cells of some fields at a time, and write the tables as they come.

        The tables are there when the last batch has been taken: before the crops, which say that all
        is done.
        """
        with atomic(folder.fields) as field_table, atomic(folder.dropped) as cell_table:
            for block in self._blocks(shown=shown):
                judged = self._judge(block, workers)
                _extend(field_table, self._rows(block, judged), index=False)
                if judged:
                    obs = self._obs(judged)
                    kept = np.concatenate([field.kept for field in judged.values()])
                    _extend(cell_table, obs[~kept], index_label="Cell")
                    yield self._batch(list(judged.values()), obs[kept])
            if len(self._problems) == len(self._tasks):
                yield self._nothing()

    def _blocks(self, *, shown: bool) -> Iterator[list[int]]:
        """Give the numbers of all fields, so many at a time as memory is meant to hold."""
        numbers = range(len(self._tasks))
        block: list[int] = []
        cells = 0
        for number in track(numbers, "putting together", shown=shown):
            block.append(number)
            cells += int(self._facts["cut"][number])
            if cells >= _CELLS or len(block) == _FIELDS:
                yield block
                block, cells = [], 0
        if block:
            yield block

    def _judge(self, block: Sequence[int], workers: Workers) -> dict[int, Judged]:
        """Judge the finished ones among some fields, and each of their cut cells."""
        keep = tuple(self._settings["keep"])
        trials = [
            Trial(n, self._tasks.part(n), self._facts[n], self.usual[self._plates[n]], keep)
            for n in block
            if n not in self._problems
        ]
        judged = {
            trial.number: judge(trial) if isinstance(own, Died) else own
            for trial, own in workers.spread(judge, trials)
        }
        return dict(sorted(judged.items()))

    def _batch(self, judged: Sequence[Judged], obs: pd.DataFrame) -> CropBatch:
        """Read the masks of the kept cells of some fields, and say where their pixels lie."""
        sides = judged[0].part.shape[1:]
        pieces = tuple(own.part.pixels(own.kept) for own in judged)
        streams = [stream for own in judged for stream in compress(own.part.masks, own.kept)]
        return CropBatch(
            StoredPixels(pieces, sides, judged[0].part.dtype),
            PackedMasks(streams, (self._objects, *sides[1:])) if self._settings["masks"] else None,
            obs,
        )

    def _rows(self, block: list[int], judged: Mapping[int, Judged]) -> pd.DataFrame:
        """Make the rows of some fields in the table of fields."""
        about = self._tasks.fields.iloc[block][self._metadata].reset_index(drop=True)
        return about.join(pd.DataFrame([self._row(n, judged.get(n)) for n in block]))

    def _row(self, number: int, judged: Judged | None) -> dict[str, Any]:
        """Say what was found in a field, which of it was dropped, and what was measured."""
        facts, problem = self._facts[number], self._problems.get(number, "")
        count = len(self._channels)
        found, dropped = 0, Counter[str]()
        measured = dict.fromkeys(("Background", "Saturated", "Sharpness"), np.full(count, np.nan))
        if judged is not None:
            found, cells = int(facts["found"]), judged.part.cells
            dropped.update(judged.reasons[~judged.kept], border=found - len(cells))
            measured |= {"Background": facts["background"], "Saturated": facts["saturated"]}
            if len(cells):
                measured["Sharpness"] = np.median(cells["quality"][:, count : 2 * count], axis=0)
        return {
            "found": found,
            "kept": found - dropped.total(),
            **{f"dropped_{reason}": dropped[reason] for reason in REASONS},
            **{
                f"{name}_{channel}": float(f"{value:.5g}")
                for name, values in measured.items()
                for channel, value in zip(self._channels, values, strict=True)
            },
            "seconds": 0.0 if problem else round(float(facts["seconds"]), 3),
            "Problem": problem,
        }

    def _nothing(self) -> CropBatch:
        """Make the only batch of a plate without readable fields."""
        size = self._settings["crop_size"]
        images = StoredPixels((), (len(self._channels), size, size), np.dtype(np.uint16))
        obs = self._tasks.fields[self._metadata][:0].set_index(pd.Index([], dtype=object))
        return CropBatch(images, None, obs)

    def _obs(self, judged: Mapping[int, Judged]) -> pd.DataFrame:
        """Make the table of some fields' cut cells: where they lie is in the pixels of their files."""
        fields = self._tasks.fields.iloc[list(judged)]
        cells = np.concatenate([own.part.cells for own in judged.values()])
        field = np.repeat(np.arange(len(judged)), [len(own.kept) for own in judged.values()])
        center = self._in_file(cells["center"])
        places = np.array(row_names(fields[FIELD]), dtype=object)[field]
        return pd.DataFrame(
            {
                **{name: fields[name].array.take(field) for name in self._metadata},
                "Metadata_Center_Y": center[:, 0],
                "Metadata_Center_X": center[:, 1],
                "Metadata_Label": cells["label"],
                **dict(zip(_AREAS, cells["areas"].T, strict=False)),
                **dict(zip(quality_columns(self._channels), cells["quality"].T, strict=True)),
                "Quality_Reason": np.concatenate([own.reasons for own in judged.values()]),
            },
            index=pd.Index(
                [f"{place}/{label}" for place, label in zip(places, cells["label"], strict=True)],
                dtype=object,
            ),
        )

    def _in_file(self, place: Any) -> Any:
        """Turn a place, or many, in the pixels of a field into one in those of its file."""
        return (place + 0.5) * self._settings["binning"] - 0.5


def _extend(path: Path, rows: pd.DataFrame, **how: Any) -> None:
    """Add rows to a table on disk, whose header comes with the first."""
    rows.to_csv(path, mode="a", header=not path.stat().st_size, **how)


def _unusual(facts: np.ndarray, tasks: Tasks, wrong: Mapping[int, str]) -> dict[int, str]:
    """Find fields whose size is not usual for their plate, or whose type is not usual at all.

    What most fields have is right; among equals, what comes first. Crops of one file have one type,
    plates may differ in size.
    """
    whole = [number for number in range(len(facts)) if number not in wrong]
    usual = _most_common(facts["dtype"][whole].tolist())
    problems = {
        number: f"its pixels are {_name_types(dtype)}, those of most fields {_name_types(usual)}"
        for number in whole
        if (dtype := facts["dtype"][number]) != usual
    }
    for numbers in tasks.by_plate(n for n in whole if n not in problems).values():
        sizes = [f"{y} × {x}" for y, x in facts["shape"][numbers]]
        common = _most_common(sizes)
        problems |= {
            number: f"it is {size} pixels, most fields of its plate are {common}"
            for number, size in zip(numbers, sizes, strict=True)
            if size != common
        }
    return problems


def _name_types(types: str) -> str:
    """Name the types of channels, such as ``<u2``, or ``|u1<u2`` where they differ."""
    return listed([str(np.dtype(types[i : i + 3])) for i in range(0, len(types), 3)])


def _most_common(values: Sequence[Any]) -> Any:
    return Counter(values).most_common(1)[0][0] if values else None

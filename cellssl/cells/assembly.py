"""Finished fields → one crop file and two tables, with every cell accounted for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellssl.cells.judging import REASONS, Usual, judge_cells, judge_field, usual_by_plate
from cellssl.cells.parts import Part
from cellssl.cells.quality import quality_columns
from cellssl.crops import CropBatch, write_crops
from cellssl.files import atomic
from cellssl.plates import PlateIndex

__all__ = ["Assembly"]

_AREAS = ("Area_Nucleus", "Area_Cell")
_ROWS = 256  # fields whose rows are written together
_SAMPLED = 20_000  # cells of a plate that its medians are taken from, evenly over its fields


@dataclass(slots=True)
class _Field:
    """A field on its way into the crop file: its part, or the reason why there is none."""

    row: dict[str, Any]
    part: Part | None
    problem: str

    @property
    def plate(self) -> str:
        return str(self.row["Metadata_Plate"])

    @property
    def place(self) -> str:
        return "/".join(str(self.row[f"Metadata_{key}"]) for key in ("Plate", "Well", "Site"))


class Assembly:
    """All finished fields of a plate, judged and ready to be written.

    Memory holds what is known of the fields; cells are read field by field, each time anew.

    Parameters
    ----------
    index : PlateIndex
        F fields.
    parts, problems : sequence
        F finished fields, None where there is none and a problem says why.
    settings : mapping
        What the crops were made with, for provenance; ``crop_size``, ``masks``, ``nucleus`` (the
        channel, or None) and ``keep`` (reasons that do not drop a cell) among it.
    """

    def __init__(
        self,
        index: PlateIndex,
        parts: Sequence[Part | None],
        problems: Sequence[str],
        settings: Mapping[str, Any],
    ) -> None:
        rows = index.fields.to_dict("records")
        self._channels, self._settings = tuple(index.channels), settings
        types = index.fields.dtypes
        self._metadata = {str(n): types[n] for n in types.index if str(n).startswith("Metadata_")}
        self._fields = [
            _Field({str(key): value for key, value in row.items()}, part, problem)
            for row, part, problem in zip(rows, parts, problems, strict=True)
        ]
        _quarantine(self._fields)
        self._usual = _usual_by_plate(self._fields, self._channels, settings["nucleus"])

    def write_tables(self, fields: Path, dropped: Path) -> None:
        """Write a row per field, and a row per cell that was cut and then dropped.

        A field's row: metadata; cells found, kept, dropped by reason; what was measured of it; its
        problem. A dropped cell's: metadata, where it lies, its measures, its reason.
        """
        header = True
        with atomic(fields) as field_table, atomic(dropped) as cell_table:
            for first in range(0, len(self._fields), _ROWS):
                rows = []
                for field in self._fields[first : first + _ROWS]:
                    verdicts = self._verdicts(field)
                    out = self._out(verdicts)
                    rows.append(self._row(field, verdicts[out]))
                    if field.part is not None and (header or out.any()):
                        lost = self._obs(field, field.part, verdicts)[out]
                        lost.to_csv(cell_table, mode="a", header=header, index_label="Cell")
                        header = False
                pd.DataFrame(rows).to_csv(field_table, mode="a", header=first == 0, index=False)

    def write_crops(self, path: Path) -> None:
        """Write the kept cells in the order of the index; pixels are read one field at a time."""
        write_crops(
            path,
            self._batches(),
            channels=self._channels,
            size=self._settings["crop_size"],
            provenance={name: self._settings[name] for name in ("segmenter", "illumination")},
            masks=self._mask_names() if self._settings["masks"] else (),
        )

    def _verdicts(self, field: _Field) -> np.ndarray:
        """Judge a field's cut cells: (n,) of reasons, "" for a good cell."""
        part = field.part
        if part is None:
            return np.empty(0, dtype=object)
        areas, quality = part.read("areas", "quality")
        usual = self._usual[field.plate]
        whole = judge_field(areas[:, 0], quality, part.background, part.saturated, usual)
        if whole and whole not in self._settings["keep"]:
            return np.full(part.cut, whole, dtype=object)
        single = judge_cells(areas[:, 0], quality, usual).astype(object)
        return np.where(single == "", whole, single)

    def _out(self, verdicts: np.ndarray) -> np.ndarray:
        """Mark the cells that are dropped: those with a reason that does drop a cell."""
        return ~np.isin(verdicts.astype(str), ["", *self._settings["keep"]])

    def _row(self, field: _Field, lost: np.ndarray) -> dict[str, Any]:
        """Make a field's row of the table; `lost` are the reasons of its dropped cells."""
        metadata = {k: v for k, v in field.row.items() if k.startswith("Metadata_")}
        part, count = field.part, len(self._channels)
        found, dropped = 0, Counter[str](lost.tolist())
        sharpness = np.full(count, np.nan)
        if part is not None:
            found, dropped["border"] = part.found, part.found - part.cut
            if part.cut:
                sharpness = np.median(part.read("quality")[0][:, count : 2 * count], axis=0)
        measured = {
            "Background": [np.nan] * count if part is None else part.background,
            "Saturated": [np.nan] * count if part is None else part.saturated,
            "Sharpness": sharpness,
        }
        return {
            **metadata,
            "found": found,
            "kept": found - dropped.total(),
            **{f"dropped_{reason}": dropped[reason] for reason in REASONS},
            **{
                f"{name}_{channel}": float(f"{value:.5g}")
                for name, values in measured.items()
                for channel, value in zip(self._channels, values, strict=True)
            },
            "seconds": 0.0 if part is None else round(part.seconds, 3),
            "Problem": field.problem,
        }

    def _batches(self) -> Iterator[CropBatch]:
        empty = True
        for field in self._fields:
            if field.part is None:
                continue
            obs = self._obs(field, field.part, self._verdicts(field))
            kept = ~self._out(obs["Quality_Reason"].to_numpy())
            images, masks = field.part.read("images", "masks")
            empty = False
            yield CropBatch(
                images=images[kept],
                masks=masks[kept] if self._settings["masks"] else None,
                obs=obs[kept],
            )
        if empty:
            yield self._nothing()

    def _nothing(self) -> CropBatch:
        """Make the only batch of a plate without readable fields."""
        size = self._settings["crop_size"]
        images = np.empty((0, len(self._channels), size, size), np.uint16)
        columns = pd.DataFrame({name: pd.Series([], dtype=t) for name, t in self._metadata.items()})
        return CropBatch(images, None, columns.set_index(pd.Index([], dtype=object)))

    def _obs(self, field: _Field, part: Part, verdicts: np.ndarray) -> pd.DataFrame:
        """Make the table of a field's cut cells."""
        labels, centers, areas, quality = part.read("labels", "centers", "areas", "quality")
        names = pd.Index([f"{field.place}/{label}" for label in labels], dtype=object)
        metadata = {
            name: pd.Series([field.row[name]] * len(labels), names, dtype)
            for name, dtype in self._metadata.items()
        }
        return pd.DataFrame(
            {
                **metadata,
                "Metadata_Center_Y": centers[:, 0],
                "Metadata_Center_X": centers[:, 1],
                "Metadata_Label": labels,
                **dict(zip(_AREAS, areas.T, strict=False)),
                **dict(zip(quality_columns(self._channels), quality.T, strict=True)),
                "Quality_Reason": verdicts,
            },
            index=names,
        )

    def _mask_names(self) -> tuple[str, ...]:
        """Name the masks that the parts hold."""
        part = next((field.part for field in self._fields if field.part is not None), None)
        return ("nucleus", "cell")[: 1 if part is None else part.read("areas")[0].shape[1]]


def _quarantine(fields: list[_Field]) -> None:
    """Take out fields whose size is not usual for their plate, or whose type is not usual at all.

    What most fields have is right; among equals, what comes first. Crops of one file have one type,
    plates may differ in size.
    """
    whole = [field for field in fields if field.part is not None]
    types = Counter(field.part.dtype for field in whole if field.part)
    for field in whole:
        part = field.part
        if part is not None and part.dtype != (usual := types.most_common(1)[0][0]):
            field.problem = f"its pixels are {part.dtype}, those of most fields {usual}"
            field.part = None
    for plate in dict.fromkeys(field.plate for field in fields):
        here = [field for field in fields if field.plate == plate and field.part is not None]
        shapes = Counter(field.part.shape for field in here if field.part)
        for field in here:
            part = field.part
            if part is not None and part.shape != (common := shapes.most_common(1)[0][0]):
                field.problem = (
                    f"it is {part.shape[0]} × {part.shape[1]} pixels, most fields of its plate are "
                    f"{common[0]} × {common[1]}"
                )
                field.part = None


def _usual_by_plate(
    fields: Sequence[_Field], channels: Sequence[str], nucleus: str | None
) -> dict[str, Usual]:
    """Measure what is usual on each plate, from a sample of its cells and all of its fields."""
    fields = [field for field in fields if field.part is not None]
    counts = Counter(field.plate for field in fields)
    samples: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {plate: [] for plate in counts}
    light: dict[str, list[np.ndarray]] = {plate: [] for plate in counts}
    for field in fields:
        if field.part is None:
            continue
        light[field.plate].append(field.part.background)
        areas, quality = field.part.read("areas", "quality")
        few = max(_SAMPLED // counts[field.plate], 1)
        chosen = np.linspace(0, len(areas) - 1, min(few, len(areas))).astype(int)
        samples[field.plate].append((areas[chosen, 0], quality[chosen]))
    tables = {
        plate: (np.concatenate([a for a, _ in pairs]), np.concatenate([q for _, q in pairs]))
        for plate, pairs in samples.items()
    }
    return usual_by_plate(
        {plate: (*tables[plate], np.stack(light[plate])) for plate in tables}, channels, nucleus
    )

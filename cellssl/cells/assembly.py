"""Finished fields → one crop file and one table, with every cell accounted for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellssl.cells.parts import Part
from cellssl.crops import CropBatch, write_crops
from cellssl.files import atomic
from cellssl.plates import PlateIndex

__all__ = ["REASONS", "assemble"]

REASONS = ("border", "fragment")
_FRAGMENT = 0.2  # of the plate's median nucleus area, i.e. less than half its diameter
_SHOWN = 3


@dataclass
class _Field:
    """A field on its way into the crop file: its part, or the reason why there is none."""

    row: dict[str, Any]
    part: Part | None
    problem: str

    @property
    def plate(self) -> str:
        return str(self.row["Metadata_Plate"])


def assemble(
    index: PlateIndex,
    parts: Sequence[Part | None],
    problems: Sequence[str],
    *,
    out: Path,
    table: Path,
    settings: Mapping[str, Any],
) -> None:
    """Write the table of fields, then the crops in the order of the index.

    Parameters
    ----------
    index : PlateIndex
        F fields.
    parts, problems : sequence
        F finished fields, None where there is none and a problem says why.
    out, table : path
        The crop file and the table to write.
    settings : mapping
        What the crops were made with, for provenance; ``crop_size`` and ``masks`` among it.
    """
    rows = index.fields.to_dict("records")
    fields = [
        _Field({str(key): value for key, value in row.items()}, part, problem)
        for row, part, problem in zip(rows, parts, problems, strict=True)
    ]
    _quarantine(fields)
    smallest = _smallest_areas(fields)
    _write_table(fields, smallest, table)
    write_crops(
        out,
        _batches(fields, smallest, settings),
        channels=index.channels,
        size=settings["crop_size"],
        provenance={"segmenter": settings["segmenter"]},
        masks=_mask_names(fields) if settings["masks"] else (),
    )


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


def _smallest_areas(fields: Sequence[_Field]) -> dict[str, float]:
    """Give each plate's smallest area of a whole nucleus, in pixels."""
    areas: dict[str, list[np.ndarray]] = {}
    for field in fields:
        if field.part is not None:
            areas.setdefault(field.plate, []).append(field.part.areas[:, 0])
    joined = {plate: np.concatenate(values) for plate, values in areas.items()}
    return {
        plate: _FRAGMENT * float(np.median(values)) if len(values) else 0.0
        for plate, values in joined.items()
    }


def _write_table(fields: Sequence[_Field], smallest: Mapping[str, float], path: Path) -> None:
    """Write a row per field: metadata, cells found, kept, dropped by reason, seconds, problem."""
    rows = []
    for field in fields:
        part = field.part
        metadata = {k: v for k, v in field.row.items() if k.startswith("Metadata_")}
        small = _small(field, smallest).sum() if part else 0
        counts = (part.found - len(part.labels) if part else 0, int(small))
        rows.append(
            {
                **metadata,
                "found": part.found if part else 0,
                "kept": (part.found if part else 0) - sum(counts),
                **{f"dropped_{name}": n for name, n in zip(REASONS, counts, strict=True)},
                "seconds": round(part.seconds, 3) if part else 0.0,
                "Problem": field.problem,
            }
        )
    with atomic(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def _small(field: _Field, smallest: Mapping[str, float]) -> np.ndarray:
    """Mark the fragments among a field's cut cells: (n,) bool."""
    if field.part is None:
        return np.zeros(0, bool)
    return field.part.areas[:, 0] < smallest[field.plate]


def _batches(
    fields: Sequence[_Field], smallest: Mapping[str, float], settings: Mapping[str, Any]
) -> Iterator[CropBatch]:
    """Give the kept cells field by field; pixels are read one field at a time."""
    columns = [name for name in fields[0].row if name.startswith("Metadata_")]
    empty = True
    for field in fields:
        if field.part is None:
            continue
        kept = ~_small(field, smallest)
        images, masks = field.part.pixels()
        empty = False
        yield CropBatch(
            images=images[kept],
            masks=masks[kept] if settings["masks"] else None,
            obs=_obs(field, field.part, columns, kept),
        )
    if empty:
        size, channels = settings["crop_size"], len(settings["channels"])
        nothing = np.empty((0, channels, size, size), np.uint16)
        obs = pd.DataFrame(columns=columns, index=pd.Index([], dtype=str))
        yield CropBatch(images=nothing, masks=None, obs=obs)


def _obs(field: _Field, part: Part, columns: Sequence[str], kept: np.ndarray) -> pd.DataFrame:
    """Make the table of a field's kept cells."""
    labels = part.labels[kept]
    place = "/".join(str(field.row[f"Metadata_{key}"]) for key in ("Plate", "Well", "Site"))
    names = pd.Index([f"{place}/{label}" for label in labels], dtype=object)
    obs = pd.DataFrame({name: [field.row[name]] * len(labels) for name in columns}, index=names)
    obs["Metadata_Center_Y"], obs["Metadata_Center_X"] = part.centers[kept].T
    obs["Metadata_Label"] = labels
    for name, area in zip(("Area_Nucleus", "Area_Cell"), part.areas[kept].T, strict=False):
        obs[name] = area
    return obs


def _mask_names(fields: Sequence[_Field]) -> tuple[str, ...]:
    """Name the masks that the parts hold."""
    kinds = {field.part.areas.shape[1] for field in fields if field.part is not None}
    return ("nucleus", "cell")[: max(kinds, default=1)]

"""Simulated plates on disk: images, tables and truth, as BBBC021 publishes them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.files import atomic, make_folder, write_csv
from cellssl.plates.simulation import stains
from cellssl.plates.simulation.camera import Camera
from cellssl.plates.simulation.phenotypes import (
    DMSO,
    PHENOTYPES,
    TREATMENTS,
    Treatment,
    morphologies,
)
from cellssl.plates.simulation.tissue import Tissue, grow
from cellssl.progress import track
from cellssl.wells import well_from
from cellssl.words import counted

_CHANNELS = {"DAPI": 1, "Tubulin": 2, "Actin": 4}
_MARGIN = 56  # cells whose centre lies outside the field reach into it
_DENSITY = 42 / 384**2  # untreated cells per pixel, as in BBBC021


@dataclass(frozen=True)
class SimulatedPlate:
    """What `simulate` wrote.

    Attributes
    ----------
    folder
        To be given to `index`; it holds `Week1/…`, `image.csv`, `moa.csv`, `truth/`, `truth.csv`.
    image_csv, moa_csv
        The tables, named and written like BBBC021's.
    truth
        One row per field: ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site``, ``Phenotype``,
        ``Strength``, ``Cells`` (nuclei in the field, cut ones included), ``Cells_Border`` (those
        that touch its border), ``Path_Labels`` (relative to the folder; see `labels`).
    """

    folder: Path
    image_csv: Path
    moa_csv: Path
    truth: pd.DataFrame

    def __repr__(self) -> str:
        return f"SimulatedPlate({counted(len(self.truth), 'field')}, {self.folder})"

    def labels(self, plate: str, well: str, *, site: str = "1") -> tuple[np.ndarray, np.ndarray]:
        """Read the true nuclei and cells of a field: (Y, X) uint16, one number per cell."""
        rows = self.truth[
            (self.truth[PLATE] == plate) & (self.truth[WELL] == well) & (self.truth[SITE] == site)
        ]
        if rows.empty:
            raise PlateError(f"no field {plate}/{well}/{site} was simulated in {self.folder}.")
        row = rows.iloc[0]
        with np.load(self.folder / row["Path_Labels"]) as both:
            return both["nuclei"], both["cells"]


@dataclass(frozen=True)
class _Field:
    plate: str
    week: str
    well: str
    site: int
    treatment: Treatment
    camera: Camera
    key: tuple[int, ...]


def simulate(
    out: str | Path,
    *,
    plates: int = 2,
    wells: int = 24,
    sites: int = 1,
    size: tuple[int, int] = (384, 384),
    seed: int = 0,
    density: float = 1.0,
    treatments: Sequence[Treatment] = TREATMENTS,
    progress: bool = True,
) -> SimulatedPlate:
    """Write simulated plates of MCF-7-like cells (DAPI, tubulin, actin) with the truth beside them.

    A third of the wells holds DMSO, the others the compounds of `treatments` in turn, at positions
    drawn anew for each plate. Each plate was stained and imaged in a week of its own, with its own
    gains, background, focus and illumination. What a phenotype does stands in `phenotypes`.

    Parameters
    ----------
    out
        Folder to write to.
    plates, wells, sites
        How many; `wells` is per plate (2 to 96), `sites` per well.
    size
        Height and width of a field in pixels, at least 128.
    seed
        The same seed and settings give the same bytes; a field does not depend on the other fields.
    density
        Number of cells relative to BBBC021's.
    treatments
        What the wells that are no controls hold in turn; give your own for a series of doses.
    progress
        Show a progress bar.

    Raises
    ------
    PlateError
        When a setting is out of range, or `out` holds images of another simulation.
    """
    _check(plates, wells, sites, size, density, treatments)
    out = make_folder(out)
    planned = _plan(plates, wells, sites, seed, treatments)
    names = {name for field in planned for name in _names(field).values()}
    foreign = [path for path in out.rglob("Week*/*.tif") if path.name not in names]
    if foreign:
        raise PlateError(
            f"{out} holds images of another simulation, such as {foreign[0].name}: "
            "choose another --out, or empty it."
        )
    make_folder(out / "truth")
    truth = [
        _write_field(field, out, size, density)
        for field in track(planned, "simulating", shown=progress)
    ]
    image_csv, moa_csv = _write_tables(planned, out)
    table = pd.DataFrame(truth)
    write_csv(table, out / "truth.csv")  # written last: where it is, the simulation is whole
    return SimulatedPlate(out, image_csv, moa_csv, table)


def _check(
    plates: int,
    wells: int,
    sites: int,
    size: tuple[int, int],
    density: float,
    treatments: Sequence[Treatment],
) -> None:
    if plates < 1 or sites < 1 or not 2 <= wells <= 96:
        raise PlateError(
            f"cannot simulate {plates} plates of {wells} wells with {sites} sites; wanted at least "
            "1 plate and 1 site, and 2 to 96 wells."
        )
    if min(size) < 128 or not 0 <= density <= 2:
        raise PlateError(
            f"cannot simulate fields of {size} pixels at density {density}; wanted at least "
            "128 × 128 and a density from 0 to 2."
        )
    unknown = [item.phenotype for item in treatments if item.phenotype not in PHENOTYPES]
    if unknown or not treatments:
        what = f"the phenotype {unknown[0]!r}" if unknown else "no treatments"
        raise PlateError(
            f"cannot simulate {what}; wanted treatments with phenotypes of {', '.join(PHENOTYPES)}."
        )


def _plan(
    plates: int, wells: int, sites: int, seed: int, treatments: Sequence[Treatment]
) -> list[_Field]:
    """Say what is in each well of each plate."""
    columns = 6 if wells <= 24 else 12
    fields = []
    for plate in range(plates):
        rng = np.random.default_rng([seed, plate])
        controls = max(1, round(wells / 3))
        content = [DMSO] * controls
        content += [treatments[i % len(treatments)] for i in range(wells - controls)]
        order = rng.permutation(wells)
        camera = Camera.draw(rng)
        week = f"Week{plate + 1}"
        name = f"{week}_{21000 + 1101 * plate}"
        for position in range(wells):
            row, column = divmod(position, columns)
            well = well_from(row + 1, column + 1)
            for site in range(1, sites + 1):
                key = (seed, plate, position, site)
                fields.append(_Field(name, week, well, site, content[order[position]], camera, key))
    return fields


def _names(field: _Field) -> dict[str, str]:
    """File names as BBBC021 has them: the channel is the digit before the GUID."""
    rng = np.random.default_rng([*field.key, 1])
    return {
        channel: f"{field.plate}_{field.well}_s{field.site}_w{digit}"
        f"{str(uuid.UUID(bytes=rng.bytes(16), version=4)).upper()}.tif"
        for channel, digit in _CHANNELS.items()
    }


def _write_field(
    field: _Field, out: Path, size: tuple[int, int], density: float
) -> dict[str, object]:
    """Simulate one field, write it with its labels, and give its row of the truth."""
    rng = np.random.default_rng([*field.key, 0])
    shape = (size[0] + 2 * _MARGIN, size[1] + 2 * _MARGIN)
    wanted = density * _DENSITY * shape[0] * shape[1] * field.treatment.survival
    cells = morphologies(field.treatment, rng.poisson(wanted), rng)
    tissue = grow(cells, shape, rng)
    ideal = np.stack(
        [stains.dna(tissue, rng), stains.tubulin(tissue, rng), stains.actin(tissue, rng)]
    )
    images = field.camera.expose(ideal, _MARGIN, rng)
    folder = make_folder(out / field.week / field.plate)
    for name, image in zip(_names(field).values(), images, strict=True):
        tifffile.imwrite(folder / name, image, metadata=None)
    nuclei, outlines = _labels(tissue)
    labels = (
        f"truth/{field.plate}_{field.well}_s{field.site}.npz"  # no image that an index looks at
    )
    np.savez_compressed(out / labels, nuclei=nuclei, cells=outlines)
    border = np.concatenate([nuclei[0], nuclei[-1], nuclei[:, 0], nuclei[:, -1]])
    return {
        PLATE: field.plate,
        WELL: field.well,
        SITE: str(field.site),
        "Phenotype": field.treatment.phenotype,
        "Strength": field.treatment.strength,
        "Cells": int(nuclei.max()),
        "Cells_Border": len(np.unique(border[border > 0])),
        "Path_Labels": labels,
    }


def _labels(tissue: Tissue) -> tuple[np.ndarray, np.ndarray]:
    """Cut the labels to the field; number the nuclei in it from 1, their cells alike.

    Cells whose nucleus lies outside the field have no number: nobody can count them there.
    """
    seen = np.s_[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    nuclei, cells = tissue.nuclei[seen], tissue.cells[seen]
    present = np.unique(nuclei[nuclei > 0])
    numbers = np.zeros(len(tissue.centres) + 1, np.uint16)
    numbers[present] = np.arange(1, len(present) + 1)
    return numbers[nuclei], numbers[cells]


def _write_tables(planned: list[_Field], out: Path) -> tuple[Path, Path]:
    """Write image.csv and moa.csv; the latter with bare CR line ends, as published."""
    rows = []
    for number, field in enumerate(planned, 1):
        row: dict[str, object] = {"TableNumber": 1, "ImageNumber": number}
        for channel, name in _names(field).items():
            row[f"Image_FileName_{channel}"] = name
            row[f"Image_PathName_{channel}"] = f"{field.week}/{field.plate}"
        row |= {
            "Image_Metadata_Plate_DAPI": field.plate,
            "Image_Metadata_Well_DAPI": field.well,
            "Replicate": int(field.week.removeprefix("Week")),
            "Image_Metadata_Compound": field.treatment.compound,
            "Image_Metadata_Concentration": field.treatment.concentration,
        }
        rows.append(row)
    write_csv(pd.DataFrame(rows), out / "image.csv")
    used = dict.fromkeys(field.treatment for field in planned)
    mechanisms = [
        {"compound": item.compound, "concentration": item.concentration, "moa": item.moa}
        for item in used
    ]
    with atomic(out / "moa.csv") as part:
        pd.DataFrame(mechanisms).to_csv(part, index=False, lineterminator="\r")
    return out / "image.csv", out / "moa.csv"

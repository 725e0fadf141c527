"""Plates as microscopes write them, with true names, small enough to compare pixel by pixel."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

NAMES = ("DAPI", "GFP")
SHAPE = (16, 12)


@dataclass(frozen=True, eq=False)
class Shot:
    """One plane that was taken."""

    well: str
    site: int
    channel: int  # from 1
    plane: int  # from 1
    pixels: np.ndarray

    @property
    def row(self) -> int:
        return ord(self.well[0]) - 64

    @property
    def column(self) -> int:
        return int(self.well[1:])


def shoot(
    wells: Sequence[str] = ("B02", "C11"), sites: Sequence[int] = (1, 2), planes: int = 1
) -> list[Shot]:
    """Take a plate's images: two channels, random pixels."""
    rng = np.random.default_rng(0)
    places = product(wells, sites, (1, 2), range(1, planes + 1))
    return [Shot(*place, rng.integers(0, 60_000, SHAPE).astype(np.uint16)) for place in places]


def truth(shots: Sequence[Shot], well: str, site: str, project: Callable) -> np.ndarray:
    """Give the field (C, Y, X) that should be read, with a projection of (Z, Y, X) to (Y, X)."""
    here = [shot for shot in shots if (shot.well, str(shot.site)) == (well, site)]
    stacks = ([shot.pixels for shot in here if shot.channel == channel] for channel in (1, 2))
    return np.stack([project(np.stack(stack)) for stack in stacks])


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels)


def _deep(shots: Sequence[Shot]) -> bool:
    return any(shot.plane > 1 for shot in shots)


def imagexpress(folder: Path, shots: Sequence[Shot]) -> None:
    for number, shot in enumerate(shots):
        guid = str(uuid.UUID(int=number)).upper()
        step = f"ZStep_{shot.plane}/" if _deep(shots) else ""
        stem = f"screen_{shot.well}_s{shot.site}_w{shot.channel}"
        below = folder / "P1" / "TimePoint_1" / step
        _write(below / f"{stem}{guid}.tif", shot.pixels)
        _write(below / f"{stem}_thumb{guid}.tif", shot.pixels[::4, ::4])


def phenix_name(shot: Shot) -> str:
    return f"r{shot.row:02}c{shot.column:02}f{shot.site:02}p{shot.plane:02}-ch{shot.channel}sk1fk1fl1.tiff"


def phenix(folder: Path, shots: Sequence[Shot]) -> None:
    for shot in shots:
        _write(
            folder / "P1__2024-05-02T10_11_12-Measurement 1" / "Images" / phenix_name(shot),
            shot.pixels,
        )


def phenix_xml(folder: Path, shots: Sequence[Shot], name: str = "Index.xml") -> Path:
    """Write the images and Harmony's index of them (schema V5)."""
    below = folder / "run" / "Images"
    images = []
    for shot in shots:
        _write(below / phenix_name(shot), shot.pixels)
        images.append(
            f'<Image Version="1"><id>{shot.row:02}{shot.column:02}K1F{shot.site}P{shot.plane}R{shot.channel}'
            f"</id><State>Ok</State><URL>{phenix_name(shot)}</URL><Row>{shot.row}</Row>"
            f"<Col>{shot.column}</Col><FieldID>{shot.site}</FieldID><PlaneID>{shot.plane}</PlaneID>"
            f"<TimepointID>0</TimepointID><ChannelID>{shot.channel}</ChannelID><FlimID>1</FlimID>"
            f'<PositionX Unit="m">{shot.site * 1e-4}</PositionX><PositionY Unit="m">-2.5E-05</PositionY>'
            "</Image>"
        )
    entries = "".join(
        f'<Entry ChannelID="{n}"><ChannelName>{channel}</ChannelName><Amplitude>1</Amplitude></Entry>'
        for n, channel in enumerate(NAMES, start=1)
    )
    wells = "".join(f'<Well id="{well}" />' for well in ("0202", "0311"))
    path = below / name
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData '
        'xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5" Version="1"><User>ops</User>'
        f"<Plates><Plate><PlateID>P1</PlateID><Name>P1</Name>{wells}</Plate></Plates>"
        f"<Maps><Map>{entries}</Map></Maps><Images>{''.join(images)}</Images></EvaluationInputData>",
        encoding="utf-8-sig",
    )
    return path


def cellvoyager_name(shot: Shot) -> str:
    return f"P1_{shot.well}_T0001F{shot.site:03}L01A0{shot.channel}Z{shot.plane:02}C0{shot.channel}.tif"


def cellvoyager(folder: Path, shots: Sequence[Shot]) -> None:
    for shot in shots:
        _write(folder / "P1" / cellvoyager_name(shot), shot.pixels)


def yokogawa_mlf(folder: Path, shots: Sequence[Shot]) -> Path:
    """Write the images with names that say nothing, and the list that does."""
    records = []
    for number, shot in enumerate(shots):
        _write(folder / "P1" / f"image{number}.tif", shot.pixels)
        records.append(
            f'<bts:MeasurementRecord bts:Time="2024-05-02T10:11:12.123+02:00" bts:Column="{shot.column}" '
            f'bts:Row="{shot.row}" bts:FieldIndex="{shot.site}" bts:TimePoint="1" '
            f'bts:TimelineIndex="1" bts:ZIndex="{shot.plane}" bts:ActionIndex="1" bts:Ch="{shot.channel}" '
            f'bts:Type="IMG">image{number}.tif</bts:MeasurementRecord>'
        )
    records.append(
        '<bts:MeasurementRecord bts:Column="1" bts:Row="1" bts:Type="ERR">focus</bts:MeasurementRecord>'
    )
    path = folder / "P1" / "MeasurementData.mlf"
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<bts:MeasurementData '
        'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0" bts:Version="1.0">'
        f"{''.join(records)}</bts:MeasurementData>"
    )
    return path


def cq1(folder: Path, shots: Sequence[Shot], *, columns: int = 12) -> None:
    for shot in shots:
        well = (shot.row - 1) * columns + shot.column
        name = f"W{well:04}F{shot.site:04}T0001Z{shot.plane:03}C{shot.channel}.tif"
        _write(folder / "P1" / name, shot.pixels)


def cq1_detail(folder: Path, *, columns: int) -> None:
    (folder / "P1" / "MeasurementDetail.mrf").write_text(
        '<bts:MeasurementDetail xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0" '
        f'bts:RowCount="16" bts:ColumnCount="{columns}"><bts:MeasurementChannel bts:Ch="1" />'
        "</bts:MeasurementDetail>"
    )


def incell(folder: Path, shots: Sequence[Shot]) -> None:
    waves = ("UV - DAPI", "Blue - FITC")
    for shot in shots:
        z = f" z {shot.plane}" if _deep(shots) else ""
        name = (
            f"{shot.well[0]} - {shot.well[1:]}(fld {shot.site} wv {waves[shot.channel - 1]}{z}).tif"
        )
        _write(folder / "P1" / name, shot.pixels)


def _planes(shots: Sequence[Shot]) -> Iterator[tuple[dict[str, object], str, list[Shot]]]:
    """Give the shots by field, with a plain name of each."""
    table = pd.DataFrame([(s.well, s.site, s) for s in shots], columns=["well", "site", "shot"])
    for (well, site), group in table.groupby(["well", "site"], sort=False):
        yield {"Metadata_Well": well, "Metadata_Site": site}, f"{well}-{site}", list(group["shot"])


def cellprofiler(folder: Path, shots: Sequence[Shot], root: str | None = None) -> Path:
    """Write images with names that say nothing, and a LoadData table; a row per field and plane."""
    rows = []
    for about, _, field in _planes(shots):
        for plane in dict.fromkeys(shot.plane for shot in field):
            row = {"Metadata_Plate": "P1", **about, "Metadata_Z": plane, "Metadata_Compound": "x"}
            for shot in (shot for shot in field if shot.plane == plane):
                name = f"{shots.index(shot):04}.tif"
                _write(folder / "pictures" / name, shot.pixels)
                row[f"FileName_{NAMES[shot.channel - 1]}"] = name
                row[f"PathName_{NAMES[shot.channel - 1]}"] = root or str(folder / "pictures")
            rows.append(row)
    path = folder / "load_data.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def deepprofiler(folder: Path, shots: Sequence[Shot]) -> Path:
    rows = []
    for about, stem, field in _planes(shots):
        row = {"Metadata_Plate": "P1", **about}
        for shot in field:
            row[NAMES[shot.channel - 1]] = f"P1/{stem}-{shot.channel}.tif"
            _write(folder / "inputs" / "images" / row[NAMES[shot.channel - 1]], shot.pixels)
        rows.append(row)
    path = folder / "inputs" / "metadata" / "index.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def ome_tiff(folder: Path, shots: Sequence[Shot]) -> None:
    """Write a file per field, as tifffile does: channels run slower than planes."""
    for _, stem, field in _planes(shots):
        stack = np.stack([shot.pixels for shot in field])
        depth = max(shot.plane for shot in field)
        path = folder / "P1" / f"plate_{stem.replace('-', '_s')}.ome.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            path,
            stack.reshape(2, depth, *SHAPE),
            metadata={"axes": "CZYX", "Channel": {"Name": list(NAMES)}},
        )


def pattern(folder: Path, shots: Sequence[Shot]) -> None:
    for shot in shots:
        name = f"{shot.well}-{shot.site}-{shot.plane}-{shot.channel}.tif"
        _write(folder / "P1" / name, shot.pixels)


def ome_zarr(folder: Path, shots: Sequence[Shot], version: str) -> Path:
    """Write a plate through ngio."""
    import ngio

    path = folder / "P1.zarr"
    wells = [
        ngio.ImageInWellPath(row=shot.well[0], column=shot.well[1:], path=str(shot.site))
        for shot in shots
        if (shot.channel, shot.plane) == (1, 1)
    ]
    ngio.create_empty_plate(str(path), name="P1", images=wells, ngff_version=version)
    for _, stem, field in _planes(shots):
        depth = max(shot.plane for shot in field)
        well, site = stem.split("-")
        ngio.create_ome_zarr_from_array(
            str(path / well[0] / well[1:] / site),
            array=np.stack([shot.pixels for shot in field]).reshape(2, depth, *SHAPE),
            pixelsize=0.3,
            axes_names="czyx",
            channels_meta=list(NAMES),
            ngff_version=version,
            consolidation_mode="auto",
            levels=2,
            chunks=(1, 1, 8, 8),
        )
    return path

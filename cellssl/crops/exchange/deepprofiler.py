"""DeepProfiler's single-cell folder: a PNG a cell with its channels side by side, and a table.

``sc-metadata.csv`` names the PNGs, ``<plate>/<well>/<site>/<target>@<x>x<y>.png``, each (H, C·W);
where outlines were exported, the last tile is the mask. That is how DeepProfiler 0.3 writes and
reads them (https://github.com/cytomining/DeepProfiler: ``dataset/sampling.py``, ``imaging/cropping.py``).
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cellssl.columns import CENTRE, COMPOUND, PLATE, SITE, WELL, texts_of
from cellssl.crops.exchange.foreign import Foreign, Images, named_table
from cellssl.crops.exchange.sidecar import Sidecar
from cellssl.crops.exchange.tables import name_columns, read_cell_table
from cellssl.crops.store import Crops
from cellssl.errors import CropError
from cellssl.files import new_folder
from cellssl.progress import track

_LOG = logging.getLogger(__name__)
TABLE = "sc-metadata.csv"
_SIDECAR, _LOCATIONS = "cellssl.json", "locations"
_FILE, _X, _Y = "Image_Name", "Nuclei_Location_Center_X", "Nuclei_Location_Center_Y"
_OWN = ("Key", "Target", _FILE, _X, _Y)
_CENTRE = dict(zip((_X, _Y), CENTRE, strict=True))
_PLACE = {PLATE: "plate", WELL: "well", SITE: "1"}
# As stored → as painted: DeepProfiler multiplies by the mask / 255, so that others vanish.
_PAINT = np.array([0, 255, 1], np.uint8)
_MODES = {"L": np.uint8, "I;16": np.uint16, "I;16B": np.uint16}


def write_singlecells(crops: Crops, out: Path, *, shown: bool = False) -> None:
    """Write a folder that DeepProfiler trains from, and that `open_singlecells` turns back.

    Pixels stay as they are (8 or 16 bits), where DeepProfiler would stretch each channel of each cell
    to 8 bits. Masks follow the channels as tiles of their own, the last being the one DeepProfiler
    masks with. Where the centres of the cells are known, ``locations/`` holds them as DeepProfiler
    asks for them, so that it can profile the same cells from the images.
    """
    if crops.dtype not in (np.uint8, np.uint16):
        raise CropError(
            f"DeepProfiler's crops are PNGs of 8 or 16 bits, and {crops.path} holds {crops.dtype}: "
            "export to .h5sc, .npy or .h5 instead"
        )
    table = _make_table(crops)
    with new_folder(out, error=CropError) as part:
        for row in track(range(len(crops)), f"writing {out.name}", shown=shown):
            path = part / table[_FILE].iloc[row]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_tape(crops, row)).save(path, compress_level=1)
        if _X in table:
            _write_locations(table, part / _LOCATIONS)
        table.to_csv(part / TABLE, index=False)
        Sidecar.of(crops).write(part / _SIDECAR)


def _tape(crops: Crops, row: int) -> np.ndarray:
    """Lay channels, then masks, side by side: (H, (C + M)·W)."""
    tiles = list(crops.read(row)[0])
    masks = crops.masks(row)
    if masks is not None:
        tiles += list(_PAINT[masks[0]].astype(crops.dtype))
    return np.hstack(tiles)


def _make_table(crops: Crops) -> pd.DataFrame:
    """Give the cells with DeepProfiler's columns first: Key, Target, centre, Image_Name."""
    obs = crops.obs
    keys = place_keys(obs)
    front = pd.DataFrame({"Key": keys, "Target": 0})
    if COMPOUND in obs:
        front["Target"] = pd.factorize(texts_of(obs[COMPOUND]), sort=True)[0]
    places = [str(row) for row in range(len(obs))]
    if set(CENTRE) <= set(obs):
        for theirs, own in _CENTRE.items():
            front[theirs] = obs[own].to_numpy()
        places = [f"{x}x{y}" for x, y in zip(front[_X], front[_Y], strict=True)]
    names = [
        f"{key}/{target}@{place}"
        for key, target, place in zip(keys, front["Target"], places, strict=True)
    ]
    twice = Counter(name.lower() for name in names)  # some systems tell no capitals apart
    front[_FILE] = [
        f"{name}.png" if twice[name.lower()] == 1 else f"{name}-{row}.png"
        for row, name in enumerate(names)
    ]
    return pd.concat([front, named_table(crops)], axis=1)


def place_keys(obs: pd.DataFrame) -> list[str]:
    """Give plate/well/site of each cell as a path; what the table lacks has a stand-in."""
    parts = [
        [_safe(text) or stand_in for text in texts_of(obs[name])]
        if name in obs
        else [stand_in] * len(obs)
        for name, stand_in in _PLACE.items()
    ]
    return ["/".join(place) for place in zip(*parts, strict=True)]


def _safe(text: str) -> str:
    """Leave in a file's name what every system takes: letters, digits, ``._+-`` and blanks."""
    return re.sub(r"[^\w.+ -]", "_", text).strip(" .")


def _write_locations(table: pd.DataFrame, folder: Path) -> None:
    for key, cells in table.groupby("Key", sort=False):
        plate, well, site = str(key).split("/")
        (folder / plate).mkdir(parents=True, exist_ok=True)
        path = folder / plate / f"{well}-{site}-Nuclei.csv"
        cells[[_X, _Y]].to_csv(path, index=False)


@contextmanager
def open_singlecells(
    folder: Path, *, columns: dict[str, str], channels: Sequence[str] | None
) -> Iterator[Foreign]:
    """Open such a folder, of DeepProfiler or of `write_singlecells`.

    DeepProfiler lists crops that it found empty and does not write them: those are left out.
    """
    sidecar = Sidecar.read(folder / _SIDECAR)
    table, files = _read_table(folder, sidecar)
    if sidecar is not None:
        table = table.drop(columns=[name for name in _OWN if name in table])
        yield _foreign(folder, files, table, {}, sidecar)
        return
    _LOG.warning(
        "%s: DeepProfiler's own crops are stretched to 8 bits, each channel of each cell for itself: "
        "how bright a cell was is lost",
        folder,
    )
    table, names = _name(table, columns)
    yield _foreign(folder, files, table, names, _guess_masks(files, channels))


def _read_table(folder: Path, sidecar: Sidecar | None) -> tuple[pd.DataFrame, list[Path]]:
    """Read the table of the cells whose PNGs are there, and name these."""
    if sidecar is not None:
        table = sidecar.read_table(folder / TABLE)
    else:
        table, _ = read_cell_table(folder / TABLE, {})
    if _FILE not in table:
        raise CropError(
            f"{folder / TABLE} has no column {_FILE}; it has {', '.join(table.columns)}"
        )
    if table.empty:
        raise CropError(f"{folder / TABLE} lists no cell")
    files = [_path_inside(folder, str(name)) for name in table[_FILE]]
    there = np.array([path.is_file() for path in files], bool)
    if not there.all():
        first = table[_FILE][~there].iloc[0]
        if sidecar is not None or not there.any():
            raise CropError(
                f"{folder} lacks {(~there).sum()} of the {len(files)} crops in {TABLE}, e.g. {first}: "
                "copy or export the folder again"
            )
        _LOG.warning(
            "%s: %d of %d crops in %s have no PNG, as DeepProfiler leaves out empty ones: left out, "
            "e.g. %s",
            folder,
            (~there).sum(),
            len(files),
            TABLE,
            first,
        )
    kept = [path for path, here in zip(files, there, strict=True) if here]
    return table[there].reset_index(drop=True), kept


def _name(table: pd.DataFrame, columns: dict[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Add plate, well and site from the PNGs' paths; name the columns."""
    places = table[_FILE].astype(str).str.split("/")
    for position, name in enumerate(_PLACE, start=-4):
        if name not in table:
            table.insert(0, name, places.str[position].fillna(""))
    given = {**{name: own for name, own in _CENTRE.items() if name in table}, **columns}
    return table, name_columns(table, given)


def _guess_masks(files: Sequence[Path], channels: Sequence[str] | None) -> Sidecar:
    """Tell from the number of tiles whether a mask follows the channels."""
    if channels is None:
        raise CropError(
            "DeepProfiler's crops do not say their channels: name them in their order with channels= "
            "(--channel DNA --channel ER …)"
        )
    height, width = _read_png(files[0]).shape
    masked = width == height * (len(channels) + 1)
    return Sidecar(tuple(channels), ("cell",) if masked else ())


def _foreign(
    folder: Path, files: Sequence[Path], table: pd.DataFrame, names: dict[str, str], about: Sidecar
) -> Foreign:
    tiles = len(about.channels) + len(about.masks)
    first = _read_png(files[0])
    height, width = first.shape
    if width != height * tiles:
        raise CropError(
            f"{files[0]} is {height}×{width} pixels: not {tiles} squares side by side for channels "
            f"{', '.join(about.channels)}"
            + (f" and masks {', '.join(about.masks)}" if about.masks else "")
        )
    return Foreign(
        path=folder,
        shape=(len(files), len(about.channels), height, height),
        dtype=first.dtype,
        read=lambda rows: _read(files[rows], first, len(about.channels)),
        table=table,
        names=names,
        channels=about.channels,
        masks=about.masks,
        about=about.about,
    )


def _read(files: Sequence[Path], first: np.ndarray, channels: int) -> Images:
    """Read the PNGs of some cells, each like the first of all, whose tiles are channels and then masks."""
    tapes = []
    for path in files:
        tape = _read_png(path)
        if tape.shape != first.shape or tape.dtype != first.dtype:
            raise CropError(
                f"{path} is {tape.dtype} of {tape.shape[0]}×{tape.shape[1]} pixels, the first crop "
                f"{first.dtype} of {first.shape[0]}×{first.shape[1]}: all must be alike"
            )
        tapes.append(tape)
    size = len(first)
    tiles = np.stack(tapes).reshape(len(tapes), size, -1, size).swapaxes(1, 2)
    masks = _unpainted(tiles[:, channels:]) if tiles.shape[1] > channels else None
    return tiles[:, :channels].copy(), masks


def _unpainted(painted: np.ndarray) -> np.ndarray:
    """Turn painted tiles into 0 background, 1 this cell, 2 others."""
    return np.where(painted > 127, 1, np.where(painted == _PAINT[2], 2, 0)).astype(np.uint8)


def _read_png(path: Path) -> np.ndarray:
    """Read a grey PNG of 8 or 16 bits: (H, W)."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode not in _MODES:
                raise CropError(
                    f"{path} is a PNG of kind {image.mode}; wanted grey of 8 or 16 bits"
                )
            return np.asarray(image).astype(_MODES[image.mode])
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise CropError(f"{path} is not a readable PNG ({error}): copy it again") from error


def _path_inside(folder: Path, name: str) -> Path:
    """Give a file of the folder; refuse a name that leads out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CropError(f"{folder / TABLE} names {name!r}, which lies outside the folder: refused")
    return path

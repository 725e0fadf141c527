"""Several crop files made one."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.columns import (
    COMPOUND,
    CONCENTRATION,
    GENE,
    MECHANISM,
    say_alike_names,
    texts_of,
    unit_column,
)
from cellssl.crops.batches import batches
from cellssl.crops.brightness import compare_files
from cellssl.crops.copying import described
from cellssl.crops.layout import crop_file
from cellssl.crops.magnification import compare_magnification
from cellssl.crops.store import Crops, channel_numbers
from cellssl.crops.writer import CropBatch, write_crops
from cellssl.errors import CropError
from cellssl.nested import as_json
from cellssl.progress import track

_LOG = logging.getLogger(__name__)
_MEASURED = re.compile(r"(Quality_[A-Za-z]+_)(.+)")


def join_crops(
    files: Sequence[Crops | str | Path],
    out: str | Path,
    *,
    channels: Sequence[str] | Mapping[str, str] | None = None,
    masks: bool = True,
    progress: bool = False,
) -> Path:
    """Join crop files, one plate's behind the other's; memory holds some cells and all tables.

    The file appears when it is whole, and `out` may be one of `files`: so a plate is appended to a
    file that is in use, and a process that is killed leaves it as it was. Channels and masks are
    matched by name, percentiles are measured anew, and a column that only some of the files have is
    empty for the cells of the others.

    Parameters
    ----------
    files : sequence of Crops or path
        At least one, in the order that their cells shall have.
    out : path
        The crop file to make (``.h5ad``), or a folder to put ``crops.h5ad`` into.
    channels : sequence of str, or mapping, optional
        Which channels to keep, in which order, or ``{"1": "DNA"}`` with the names that they shall have;
        by default those of the first file, which all others must have too, and no more.
    masks : bool
        Whether to keep the masks; by default they must be the same in all files.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Path
        The crop file.

    Raises
    ------
    CropError
        When sizes, types, channels or masks differ, or two cells have the same name.

    Examples
    --------
    >>> join_crops(["plate1/crops.h5ad", "plate2/crops.h5ad"], "screen.h5ad")  # doctest: +SKIP
    """
    out = crop_file(out)
    if isinstance(files, str | Path):
        raise CropError(
            f"files: got {str(files)!r}, wanted a list of crop files: [{str(files)!r}, …]"
        )
    opened = [Crops.open(file) for file in files]
    if not opened:
        raise CropError("there is no crop file to join: name at least one")
    _check_alike(opened)
    wanted = tuple(channels) if channels is not None else _common_channels(opened)
    names = (
        dict(channels) if isinstance(channels, Mapping) else dict(zip(wanted, wanted, strict=True))
    )
    mask_names = _common_masks(opened) if masks else ()
    for crops in opened:
        channel_numbers(wanted, crops.channels, owner=crops.path)
    _check_names(opened)
    for other in opened[1:]:
        compare_files(other, opened[0], wanted)
    _tell_missing_columns(opened)
    _tell_alike_names(opened)
    _tell_unlike_doses(opened)
    return write_crops(
        out,
        _batches(opened, wanted, mask_names, names, shown=progress),
        channels=[names[channel] for channel in wanted],
        size=opened[0].size,
        provenance=_provenance(opened),
        masks=mask_names,
    )


def _check_alike(opened: Sequence[Crops]) -> None:
    first = opened[0]
    for other in opened[1:]:
        compare_magnification(other, first.nucleus, of=f"in {first.path}")
        if other.size != first.size:
            raise CropError(
                f"{first.path} has crops of {first.size} px, {other.path} of {other.size} px: crop "
                f"one of them anew with `cellssl crop --size`"
            )
        if other.dtype != first.dtype:
            raise CropError(
                f"{first.path} holds {first.dtype}, {other.path} {other.dtype}: their grey values "
                "mean different things; crop both from images of one type"
            )


def _common_channels(opened: Sequence[Crops]) -> tuple[str, ...]:
    first = opened[0]
    for other in opened[1:]:
        if set(other.channels) != set(first.channels):
            shared = [f"--channel {name}" for name in first.channels if name in other.channels]
            keep = f"keep those of both with channels= ({' '.join(shared)}), or " if shared else ""
            raise CropError(
                f"{first.path} has the channels {', '.join(first.channels)}, {other.path} has "
                f"{', '.join(other.channels)}: {keep}join one of them alone first, which gives its channels "
                "other names (--channel OLD=NEW)"
            )
    return first.channels


def _common_masks(opened: Sequence[Crops]) -> tuple[str, ...]:
    first = opened[0]
    for other in opened[1:]:
        if set(other.mask_names) != set(first.mask_names):
            names = [", ".join(crops.mask_names) or "none" for crops in (first, other)]
            raise CropError(
                f"{first.path} has masks of {names[0]}, {other.path} of {names[1]}: leave them out "
                "with masks=False (--no-masks), or crop one plate anew"
            )
    return first.mask_names


def _check_names(opened: Sequence[Crops]) -> None:
    """Find a cell that is there twice before any pixel is copied."""
    owner: dict[str, Path] = {}
    for crops in opened:
        names = crops.obs.index
        twice = [name for name in names if name in owner]
        if twice:
            raise CropError(
                f"{crops.path} and {owner[twice[0]]} share {len(twice)} names of cells, e.g. "
                f"{twice[0]!r}: either the same cells are given twice, or two plates have one name; "
                "leave one file out, or crop one anew with --plate-name"
            )
        owner.update(dict.fromkeys(names, crops.path))


def _tell_missing_columns(opened: Sequence[Crops]) -> None:
    columns = {name for crops in opened for name in crops.obs}
    for crops in opened:
        missing = sorted(map(str, columns - set(crops.obs)))
        if missing:
            _LOG.warning("%s has no %s: empty for its cells", crops.path, ", ".join(missing))


def _tell_unlike_doses(opened: Sequence[Crops]) -> None:
    """Say whose doses have no unit where those of other files have one: a number may then be two doses."""
    dosed = [c for c in opened if CONCENTRATION in c.obs and _numbers(c.obs[CONCENTRATION]).any()]
    column = unit_column(CONCENTRATION)
    said = [column in c.obs and bool((texts_of(c.obs[column]) != "").any()) for c in dosed]
    if any(said) and not all(said):
        _LOG.warning(
            "the doses of %s are in µM, and those of %s say no unit: one number may be two doses. Call their column "
            "Dose (nM), say, in the metadata, and crop those plates anew",
            dosed[said.index(True)].path,
            dosed[said.index(False)].path,
        )


def _numbers(doses: pd.Series) -> pd.Series:
    """Give doses as numbers, of texts none; AnnData makes categories of texts."""
    return pd.to_numeric(doses.astype(object), errors="coerce")


def _tell_alike_names(opened: Sequence[Crops]) -> None:
    """Say what is spelt otherwise in another file: it counts as another compound, gene or mechanism."""
    for column in (COMPOUND, GENE, MECHANISM):
        names = [
            name for crops in opened if column in crops.obs for name in crops.obs[column].unique()
        ]
        say_alike_names(
            pd.Series(names, dtype=object),
            column,
            mend="give them one spelling in the metadata and crop those plates anew",
        )


def _batches(
    opened: Sequence[Crops],
    channels: Sequence[str],
    mask_names: Sequence[str],
    names: Mapping[str, str],
    *,
    shown: bool,
) -> Iterator[CropBatch]:
    blocks = [(crops, rows) for crops in opened for rows in batches(max(len(crops), 1))]
    for crops, rows in track(blocks, "joining", shown=shown):
        images = crops.read(rows)[:, channel_numbers(channels, crops.channels, owner=crops.path)]
        masks = crops.masks(rows) if mask_names else None
        if masks is not None:
            masks = masks[:, channel_numbers(mask_names, crops.mask_names, owner=crops.path)]
        obs = _with_measures(crops.obs.iloc[rows], names)
        if rows.stop >= len(crops):
            crops.close()  # of each file that is open HDF5 keeps where its chunks lie, some 30 MB
        yield CropBatch(images=images, masks=masks, obs=obs)


def _with_measures(obs: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Name what was measured in channels (``Quality_Noise_1``) after their new names."""
    new = {}
    for column in obs:
        if found := _MEASURED.fullmatch(str(column)):
            new[column] = f"{found[1]}{names.get(found[2], found[2])}"
    anew = {name for column, name in new.items() if name != column}
    gone = [column for column, name in new.items() if name == column and name in anew]
    return obs.drop(columns=gone).rename(columns=new)


def _provenance(opened: Sequence[Crops]) -> dict[str, Any]:
    """Keep what all files say alike; list what each says where they differ, by its place.

    A file that was joined before stands there with each of its parts.
    """
    told = [described(crops) for crops in opened]
    joined = [about.pop("joined", None) for about in told]
    alike = {
        key: value
        for key, value in told[0].items()
        if all(key in about and as_json(about[key]) == as_json(value) for about in told)
    }
    parts = []
    for crops, about, before in zip(opened, told, joined, strict=True):
        own = {key: value for key, value in about.items() if key not in alike}
        alone = {"file": crops.path.name, "cells": len(crops)}
        parts += [{**own, **part} for part in (before.values() if before else [alone])]
    return {**alike, "joined": {f"{number:04d}": part for number, part in enumerate(parts)}}

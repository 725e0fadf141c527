"""Stacks: which plane, or which projection of all planes, stands for a channel of a field."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cellssl.columns import FIELD, PLATE, row_names
from cellssl.errors import PlateError
from cellssl.plates.addresses import PROJECTIONS, project
from cellssl.words import counted, listed

Stack = tuple[str, str]  # plate and channel


def first_time_point(files: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Keep each plate's first time point; say how many images of later ones are left out.

    `files` is a `Listing.files`; ``Time`` is taken out of it. Channels and fields without an image of the
    first time point are gone with them, which is said too.
    """
    if "Time" not in files:
        return files, ()
    time = files["Time"].astype(int)
    later = time > time.groupby(files[PLATE]).transform("min")
    kept = files[~later].drop(columns="Time")
    if not later.any():
        return kept, ()
    points = files.loc[later, "Time"].nunique()
    notes = [
        f"{int(later.sum()):,} images of {counted(points, 'later time point')} are left out: time "
        "lapse is out of scope"
    ]
    fields, there = (table[FIELD].drop_duplicates() for table in (files, kept))
    lost = fields[~pd.MultiIndex.from_frame(fields).isin(pd.MultiIndex.from_frame(there))]
    if len(lost):
        notes.append(
            f"left out with them: {counted(len(lost), 'field')} without an image of their plate's first time "
            f"point, such as {row_names(lost)[0]}"
        )
    channels = sorted(set(files["Channel"]) - set(kept["Channel"]))
    if channels:
        notes.append(
            f"no first time point has channel {listed(channels)}: leave it out by naming the others with "
            "--channel, or index a folder with the images of the time point that has all"
        )
    return kept, tuple(notes)


def choose_planes(
    files: pd.DataFrame, z: str | int | None, *, projected: bool = False
) -> tuple[pd.DataFrame, dict[tuple[str, ...], str]]:
    """Make one address of the planes that a channel of a field has.

    Parameters
    ----------
    files
        A `Listing.files` with ``Plane``. A channel with one plane on its plate keeps it.
    z
        ``max`` or ``mean`` (over all planes), ``middle`` (of the plate's planes, the lower of two),
        or the number of a plane. None where there are no stacks.
    projected
        Whether plane 0 is a projection that the microscope made, which no other projection takes in.

    Returns
    -------
    tuple of pd.DataFrame and dict
        `files` without ``Plane``, a row per channel and field. An image that lacks a plane its plate
        has, and that is asked for, has an empty ``Path``; the dict says which planes, by plate,
        well, site and channel.

    Raises
    ------
    PlateError
        When there are stacks and `z` is None, or there is no such plane.
    """
    if "Plane" not in files:
        return files, {}
    chosen = _read_choice(z)
    files = files.assign(Plane=files["Plane"].astype(int))
    depth = _depths(files)
    deep = {key: planes for key, planes in depth.items() if len(planes) > 1}
    if not deep:
        return files.drop(columns="Plane"), {}
    if chosen is None:
        raise PlateError(_explain(deep, projected=projected))
    if isinstance(chosen, int) and not any(chosen in planes for planes in deep.values()):
        raise PlateError(f"--z {chosen}: there is no such plane; there are {_list_planes(deep)}.")
    wanted = {key: _choose(planes, chosen, projected=projected) for key, planes in depth.items()}
    return _flatten(files, wanted, "mean" if chosen == "mean" else "max")


def _depths(files: pd.DataFrame) -> dict[Stack, list[int]]:
    """List the planes of each channel of each plate."""
    kinds = files[[PLATE, "Channel", "Plane"]].drop_duplicates().sort_values("Plane")
    depth: dict[Stack, list[int]] = {}
    for plate, channel, plane in kinds.itertuples(index=False, name=None):
        depth.setdefault((plate, channel), []).append(plane)
    return depth


def _read_choice(z: str | int | None) -> str | int | None:
    if z is None:
        return None
    text = str(z).strip().lower()
    if text in (*PROJECTIONS, "middle"):
        return text
    if text.isdecimal():
        return int(text)
    raise PlateError(f"--z {z}: wanted max, mean, middle, or the number of a plane.")


def _choose(planes: Sequence[int], chosen: str | int, *, projected: bool) -> list[int]:
    """Say which of a channel's planes are used."""
    if len(planes) == 1:
        return list(planes)
    if isinstance(chosen, int):
        return [chosen]
    measured = [plane for plane in planes if plane > 0 or not projected]
    return [measured[(len(measured) - 1) // 2]] if chosen == "middle" else measured


def _flatten(
    files: pd.DataFrame, wanted: Mapping[Stack, list[int]], projection: str
) -> tuple[pd.DataFrame, dict[tuple[str, ...], str]]:
    """Put the wanted planes of each channel of a field together."""
    columns = (files[name] for name in (*FIELD, "Channel", "Plane", "Path"))
    planes: dict[tuple[str, ...], dict[int, str]] = {}
    for *image, plane, path in zip(*columns, strict=True):
        planes.setdefault(tuple(image), {})[plane] = path
    addresses, lacking = [], {}
    for key, there in planes.items():  # in the order of the first rows
        numbers = wanted[key[0], key[3]]
        missing = [number for number in numbers if number not in there]
        if missing:
            lacking[key] = _name_planes(missing)
            addresses.append("")
        else:
            addresses.append(project([there[number] for number in numbers], projection))
    images = files.drop(columns="Plane").drop_duplicates([*FIELD, "Channel"])
    return images.assign(Path=addresses), lacking


def _name_planes(numbers: Sequence[int]) -> str:
    return f"plane{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


def _list_planes(deep: Mapping[Stack, list[int]]) -> str:
    (_, channel), planes = max(deep.items(), key=lambda item: len(item[1]))
    numbers = ", ".join(map(str, planes[:12])) + (", …" if len(planes) > 12 else "")
    return f"planes {numbers} (channel {channel})"


def _explain(deep: Mapping[Stack, list[int]], *, projected: bool) -> str:
    planes = max(deep.values(), key=len)
    middle = _choose(planes, "middle", projected=projected)[0]
    return (
        f"the images are stacks: {_list_planes(deep)}. Say with --z what stands for a stack: max (maximum "
        "projection, the usual choice for thin cells and confocal stacks), mean (widefield stacks: "
        f"less noise), middle (here plane {middle}), or a plane's number, such as --z {planes[0]}."
    )

"""From a plate's folder to its `PlateIndex`: files sorted into fields and joined to metadata."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cellssl.arguments import one_path
from cellssl.columns import FIELD, PLATE, say_alike_names
from cellssl.errors import PlateError
from cellssl.plates import layouts
from cellssl.plates.controls import mark_controls
from cellssl.plates.copies import say_copies
from cellssl.plates.folders import say_folders
from cellssl.plates.layouts import Images, Layout, Listing
from cellssl.plates.layouts.naming import OWN_TABLE
from cellssl.plates.layouts.pattern import CountedFromZeroError
from cellssl.plates.plateindex import PlateIndex
from cellssl.plates.sorting import (
    find_unfit,
    order_fields,
    problem_row,
    problem_table,
    sort_into_fields,
)
from cellssl.plates.stacks import first_time_point
from cellssl.plates.tables import as_numbers, join
from cellssl.treatments import recognise_treatments, say_doubts
from cellssl.words import counted, listed

_LOG = logging.getLogger(__name__)

_MANY = 100_000  # images that take longer than a breath

_TWICE = (
    "several images have one plate, well, site and channel: say with --pattern (of a table that lists images, in a "
    "column Metadata_Site) what else tells them apart (plate, site, channel, z, time), take the copies out, or, where "
    "a plate was taken twice, index each folder by itself with a --plate-name of its own"
)


def index(
    folder: str | Path,
    *,
    layout: str = "auto",
    pattern: str | None = None,
    metadata: str | Path | None = None,
    moa: str | Path | None = None,
    channels: Mapping[str, str] | None = None,
    plate: str | None = None,
    z: str | int | None = None,
    control_column: str | None = None,
    negative: str | None = None,
    positive: str | None = None,
) -> PlateIndex:
    r"""Find the fields of one or more plates.

    Parameters
    ----------
    folder
        Where the TIFFs (or, where there are none, the PNGs) lie, at any depth; or a plate in OME-Zarr,
        or a folder with some.
    layout
        How the images are named and described, or `auto`, which takes what the evidence speaks for
        and says why:

        - `imagexpress`, `phenix` (also Operetta), `yokogawa` (CV7000, CV8000, CQ1), `incell`: names
          and documents as these microscopes write them;
        - `bbbc021`: that data set;
        - `cellprofiler` (LoadData CSV), `deepprofiler` (index.csv): tables that list the images;
        - `ome-tiff`, `ome-zarr` (HCS; needs ``cellssl[ome-zarr]``): what the files say themselves;
        - `pattern`: your own regular expression.
    pattern
        Regular expression searched for in each path below `folder` (with `/`). Named groups:
        `channel`, and `well`, or `row` and `column`, or `well96` (`well384`, …) of wells counted from 1 along the
        rows; if need be `plate`, `site`, `z` and `time`. With
        `ome-tiff` it says where the files were taken, and needs no `channel`.
    metadata
        CSV with a row per well (`Well`, or `Row` and `Column`; `Plate`, `Site` if need be), or drawn as the
        plate lies, whose treatments and doses are known by other names too (`Drug`, `Dose_nM`, …);
        for `bbbc021`, `cellprofiler` and `deepprofiler` the table that lists the images, which is
        also found in the folder.
    moa
        For `bbbc021` the CSV of mechanisms; by default the one beside image.csv.
    channels
        New names: `{"1": "GFP", "2": "DNA"}`. Its order is the order of the channels; those it does
        not name are left out, with a warning.
    plate
        The plate's name where neither names nor metadata have one; by default the folder's.
    z
        What stands for a stack: `max` or `mean` (projections), `middle`, or the number of a plane,
        as the names count them (OME's from 1). Plates of single planes need none.
    control_column, negative, positive
        The metadata column that marks controls, and its values for them; `-1` is `-1.0`.

    Returns
    -------
    PlateIndex
        Complete fields, and everything that was wrong with the others. A ``Path_<channel>`` is a
        path, or the address of a page, plane or projection: see `cellssl.plates.addresses`. Of time
        lapses the first time point is taken, and `notes` says so.

    Raises
    ------
    PlateError
        When nothing can be read from the names, the images are stacks and `z` is not given, or the
        metadata contradict themselves. Extra and missing files are no errors: they are listed in
        `problems`.

    Examples
    --------
    ::

        index(
            "plate1049",
            pattern=r"Channel(?P<channel>\d)-\d+-(?P<row>[A-H])-(?P<column>\d+)\.tif",
            metadata="1049.csv",
            channels={"1": "GFP", "2": "DNA"},
        )
    """
    images = layouts.look(
        one_path(folder, "one folder, of a plate or of several", error=PlateError),
        plate=plate,
        pattern=pattern,
        metadata=_check_file(metadata, "--metadata"),
        moa=_check_file(moa, "--moa"),
    )
    if len(images.paths) > _MANY:
        _LOG.info("%s found; sorting them into fields", counted(len(images.paths), "image"))
    chosen, reason = _choose(layout, images)
    if images.moa is not None and chosen.name != "bbbc021":
        raise PlateError(
            f"--moa is read with the layout bbbc021 only, and this is {chosen.name}: put the mechanisms "
            "into a column MOA of --metadata."
        )
    listing = chosen.find(images)
    files, late = first_time_point(listing.files)
    listing = _rename(replace(listing, files=files), channels)
    fields, problems = sort_into_fields(listing, z)
    absent = listing.absent
    if images.metadata is not None and listing.joins:
        fields, lone, missing = join(fields, images.metadata)
        detail = f"not in {images.metadata.name}"
        problems += [problem_row(key, "no metadata", detail) for key in lone.to_numpy()]
        absent += len(missing)
    fields = recognise_treatments(as_numbers(fields))
    fields = mark_controls(fields, control_column, negative=negative, positive=positive)
    say_doubts(fields)
    complete = fields.pop("_Complete").astype(bool)
    ordered = order_fields(fields[complete], listing.channels, images.folder)
    problems += [*listing.problems, *find_unfit(ordered, listing.channels)]
    found = PlateIndex(
        ordered,
        listing.channels,
        problem_table(problems),
        absent,
        (
            f"layout {chosen.name}: {reason}",
            *listing.notes,
            *late,
            *filter(None, [images.left_out.strip()]),
        ),
    )
    say_folders(listing.files)
    say_alike_names(pd.Series(listing.channels), "channels", mend="give the files one spelling")
    if found.fields.empty:
        _LOG.warning("%s", _no_field(found, listing.files))
    else:
        say_copies(found.fields, found.channels[0])
        _say_duplicates(found)
        _say_lost_plates(found)
    for note in found.notes:
        _LOG.info("%s", note)
    _LOG.info("%s: %s", folder, found.summary())
    return found


def _check_file(path: str | Path | None, option: str) -> Path | None:
    if path is not None and not Path(path).is_file():
        what = "this is a folder, wanted a file" if Path(path).is_dir() else "there is no such file"
        raise PlateError(f"{option} {path}: {what}.")
    return None if path is None else Path(path)


def _choose(name: str, images: Images) -> tuple[Layout, str]:
    """Give the layout that was asked for, or the one that fits best, and why."""
    if name != "auto":
        return layouts.get(name, images), "as asked for"
    found = layouts.recognise(images)
    if found is not None:
        return found
    if not images.paths:
        raise PlateError(images.nothing)
    examples = "\n".join(f"  {path}" for path in images.paths[:3])
    raise PlateError(
        f"the file names in {images.folder} follow no layout that is known "
        f"({', '.join(layouts.names())}), such as\n{examples}\n{_suggest_pattern(images)}{images.left_out}"
    )


def _suggest_pattern(images: Images) -> str:
    """Say which pattern reads names that no layout knows, or how one is written."""
    try:
        proposed = layouts.propose(images)
    except CountedFromZeroError as error:
        return str(error)
    if proposed is not None:
        pattern, read = proposed
        return f"This may read them: --pattern '{pattern}'\n{read} Where that is wrong, change its named groups."
    return (
        "Describe them with --pattern, a regular expression with named groups; for a file like "
        r"B02_s1_w2.tif: --pattern '(?P<well>[A-Z]+\d+)_s(?P<site>\d+)_w(?P<channel>\d)\.tif'. "
        f"Images whose names say no well want {OWN_TABLE}; photographs are read by "
        "`cellssl crops images`."
    )


def _say_duplicates(found: PlateIndex) -> None:
    """Say how fields are brought back that some only have several images for a channel."""
    twice = found.problems.loc[found.problems["Problem"] == "duplicate", FIELD].drop_duplicates()
    if len(twice):
        _LOG.warning("%s left out: %s", counted(len(twice), "field is", "fields are"), _TWICE)


def _say_lost_plates(found: PlateIndex) -> None:
    """Say which plates have no complete field, where others have some."""
    incomplete = found.problems[found.problems["Problem"] == "incomplete"]
    lost = incomplete[~incomplete[PLATE].isin(found.fields[PLATE])]
    plates = list(dict.fromkeys(lost[PLATE]))
    if plates:
        others = f" and {counted(len(plates) - 1, 'more plate')}" if plates[1:] else ""
        _LOG.warning(
            "not one field of plate %s%s is complete, such as one that %s: leave channels out by naming the "
            "others with --channel, or index what has other channels by itself",
            plates[0],
            others,
            lost["Detail"].iloc[0],
        )


def _no_field(found: PlateIndex, files: pd.DataFrame) -> str:
    """Say why no field of a plate is complete, by the problem that most have."""
    on_plates = files.groupby(PLATE)["Channel"].nunique()
    alike = on_plates.max() == files["Channel"].nunique()
    kinds = found.problems["Problem"]
    faults = kinds[kinds.isin(["incomplete", "duplicate"])]
    kind = str((faults if len(faults) else kinds).mode().iloc[0])
    example = found.problems.loc[kinds == kind, "Detail"].iloc[0]
    mend = {
        "duplicate": _TWICE,
        "incomplete": "no field has all channels: leave channels out by naming the others with "
        "--channel, or check that names of one field agree in plate, well and site",
    }.get(kind, "no image could be placed")
    if kind == "incomplete" and not alike:
        mend = (
            "no plate has all channels: where folders are channels of one plate, name it with --plate-name; where "
            "plates name channels differently, index each folder by itself, give its channels the same names with "
            "--channel OLD=NEW, and join the crops with `cellssl crops join`"
        )
    return (
        f"not one field is complete, so that nothing can be cropped; {mend}. For example {example}"
    )


def _rename(listing: Listing, names: Mapping[str, str] | None) -> Listing:
    """Name, order and choose channels as the user wants them."""
    if names is not None and not isinstance(names, Mapping):
        raise PlateError(
            f"channels: got {names!r}, wanted the files' channels mapped to their names, such as "
            f"{{{listing.channels[0]!r}: 'DNA'}}."
        )
    wanted = {
        listing.aliases.get(str(old), str(old)): str(new).strip()
        for old, new in (names or {name: name for name in listing.channels}).items()
    }
    unknown = [name for name in wanted if name not in listing.channels]
    if unknown:
        raise PlateError(
            f"there is no channel {', '.join(map(repr, unknown))} to rename; the files have "
            f"{', '.join(listing.channels)}."
        )
    new = list(wanted.values())
    bad = [name for name in new if not name or "/" in name or new.count(name) > 1]
    if bad:
        raise PlateError(
            f"{bad[0]!r} cannot name a channel: names must differ, not be empty and hold no '/'."
        )
    unused = [name for name in listing.channels if name not in wanted]
    if unused:
        _LOG.warning("channels left out because --channel does not name them: %s", listed(unused))
    files = listing.files[listing.files["Channel"].isin(wanted)]
    return replace(
        listing, files=files.assign(Channel=files["Channel"].map(wanted)), channels=tuple(new)
    )

"""Data sets of pictures, brought into a crop file."""

import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from dask.system import CPU_COUNT

from cellssl.arguments import whole_numbers
from cellssl.columns import PLATE
from cellssl.crops import CropBatch, crop_file, write_crops
from cellssl.datasets.decoding import Look, PictureError, decode, strict_decoding
from cellssl.datasets.form import Form, choose_form, strange_classes
from cellssl.datasets.picture import Picture, PictureSource
from cellssl.datasets.recognising import recognise
from cellssl.errors import CropError
from cellssl.files import make_folder, sha256, write_csv
from cellssl.progress import track
from cellssl.words import natural_key

_LOG = logging.getLogger(__name__)
_BATCH = 256  # pictures written at once, fewer where they would take more than _BATCH_BYTES
_BATCH_BYTES = 2**26
_ORDER = ("train", "val", "test", "")
# Decoding 5,000 JPEGs of 64 px took 0.6 s in one thread and 1.0 s in two, which fight for the
# interpreter; 500 of 500 × 375 px took 0.98 s and 0.54 s.
_WORTH_THREADS = 128 * 128  # pixels


@dataclass(frozen=True, slots=True)
class _Entry:
    """A picture, where it comes from, and what its header says."""

    source: PictureSource
    picture: Picture
    look: Look


class _Problem(NamedTuple):
    """A picture that is left out, and why: a row of the table of these."""

    source: str
    picture: str
    why: str

    @classmethod
    def of(cls, source: PictureSource, picture: Picture, error: PictureError) -> Self:
        return cls(str(source.path), str(picture.place), str(error))


@whole_numbers(error=CropError, size=1)
def import_images(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    size: int | None = None,
    name: str | None = None,
    progress: bool = False,
) -> Path:
    """Bring data sets of pictures into one crop file, for training and scores as on cells.

    Each source is recognised: a folder or a zip archive of pictures (JPEG, PNG, TIFF, BMP), in
    class folders or not, with ``train``, ``test`` and ``val`` above the classes or in the name of
    the archive; MNIST and its kin (IDX, gzipped or not, as a file or a folder); CIFAR-10 and
    CIFAR-100 in their binary version. Archives are read in memory and never extracted.

    Parameters
    ----------
    sources : path or sequence of path
        E.g. ``["cifar10/train.zip", "cifar10/test.zip"]``.
    out : path
        The crop file to make (``.h5ad``), or a folder to put ``crops.h5ad`` into. Pictures that
        cannot be read are named in ``<stem>.problems.csv`` beside it and left out.
    size : int, optional
        Pixels: the shorter side is resized to it (bicubic, antialiased) and the middle square kept.
        Not needed where all pictures are squares of one size.
    name : str, optional
        Name of the data set (the plate); by default that of the folder or archive, of the folder
        above where those are called ``train`` or ``test``, and ``cifar10`` or ``cifar100``.
    progress : bool
        Whether a bar is shown.

    Returns
    -------
    Path
        The crop file: uint8, channels Red, Green, Blue, or Grey where all pictures are grey (uint16
        where all are 16-bit grey); transparent pixels are white. Rows are sorted by split (train,
        val, test), class and name; they are named ``plate/split/path`` or ``plate/split/number``.
        ``obs`` has ``Metadata_Plate``, and where they are known ``Metadata_Split``,
        ``Metadata_Class`` and ``Metadata_Coarse``.

    Raises
    ------
    CropError
        When a source is missing, unknown or damaged, sizes differ and `size` is not given, depths
        are mixed, two pictures have one name, or no picture is left.
    """
    out = crop_file(out)
    paths = [Path(sources)] if isinstance(sources, str | Path) else [Path(path) for path in sources]
    _check_arguments(paths, name)
    make_folder(out.parent)
    problems: list[_Problem] = []
    with ExitStack() as opened, strict_decoding():
        found = [opened.enter_context(recognise(path, name)) for path in paths]
        entries = _look_at_all(found, problems, progress)
        if not entries:
            raise CropError(_nothing_left(problems))
        form = choose_form([(entry.picture.name, entry.look) for entry in entries], size)
        _say_changes(form, entries)
        write_crops(
            out,
            _batches(entries, form, problems, progress),
            channels=form.channels,
            size=form.side,
            provenance={"segmenter": {"name": "images", "settings": _settings(paths, size, form)}},
        )
    _save_problems(problems, out)
    return out


def _check_arguments(paths: Sequence[Path], name: str | None) -> None:
    if name is not None and (not name.strip() or "/" in name):
        raise CropError(f"a data set's name is one word of a picture's, without '/'; got {name!r}")
    if not paths:
        raise CropError("no source of pictures was given: name a folder, an archive or a file")


def _look_at_all(
    sources: Sequence[PictureSource], problems: list[_Problem], progress: bool
) -> list[_Entry]:
    """Read all headers, so that what does not fit is said before anything is decoded."""
    pairs = [(source, picture) for source in sources for picture in source.pictures]
    _check_names(pairs)
    pairs.sort(key=lambda pair: _sort_key(pair[1]))
    entries = []
    for source, picture in track(pairs, "looking at pictures", shown=progress):
        try:
            entries.append(_Entry(source, picture, source.look(picture)))
        except PictureError as error:
            problems.append(_Problem.of(source, picture, error))
    return entries


def _sort_key(picture: Picture) -> tuple[object, ...]:
    """Sort by split, class and name, 2 before 10; by letters last, so that 1 and 01 have one order everywhere."""
    kind, name = natural_key(picture.kind), natural_key(picture.name)
    return _ORDER.index(picture.split), kind, name, picture.name


def _check_names(pairs: Sequence[tuple[PictureSource, Picture]]) -> None:
    """Refuse two pictures of one name, before hours of decoding."""
    owners: dict[str, tuple[PictureSource, Picture]] = {}
    for source, picture in pairs:
        other, twin = owners.setdefault(picture.name, (source, picture))
        if twin is not picture:
            raise CropError(
                f"{twin.place} of {other.path} and {picture.place} of {source.path} would both be "
                f"called {picture.name!r}: wanted a name for each; import data sets of one name into "
                "two files, or give one another name with name= (--name)"
            )


def _say_changes(form: Form, entries: Sequence[_Entry]) -> None:
    """Say how pictures are changed, and what looks like a mistake, before they are decoded."""
    for change in form.changes:
        _LOG.info("%s", change)
    if form.enlarged:
        small, side = form.enlarged, form.side
        _LOG.warning("%d pictures are smaller than %d px and are enlarged", small, side)
    for doubt in strange_classes([entry.picture for entry in entries]):
        _LOG.warning("%s", doubt)


def _batches(
    entries: Sequence[_Entry], form: Form, problems: list[_Problem], progress: bool
) -> Iterator[CropBatch]:
    """Decode batch by batch; those that turn out broken are left out."""
    table = _tabulate(entries)
    shape = (len(form.channels), form.side, form.side)
    empty = np.empty((0, *shape), form.dtype)

    def read(entry: _Entry) -> np.ndarray | _Problem:
        try:
            with entry.source.open(entry.picture) as image:
                return decode(image, form.kind, form.side)
        except PictureError as error:
            return _Problem.of(entry.source, entry.picture, error)

    written: dict[str, bytes] = {}  # picture → its pixels, hashed
    with ExitStack() as pool:
        run = _mapping(entries, pool)
        length = min(_BATCH, max(1, _BATCH_BYTES // (empty.itemsize * math.prod(shape))))
        starts = range(0, len(entries), length)
        for start in track(starts, f"importing pictures by {length}", shown=progress):
            results = list(run(read, entries[start : start + length]))
            problems += [result for result in results if isinstance(result, _Problem)]
            kept = [at for at, result in enumerate(results) if isinstance(result, np.ndarray)]
            images = np.stack([results[at] for at in kept]) if kept else empty
            obs = table.iloc[[start + at for at in kept]]
            hashed = (hashlib.blake2b(image, digest_size=16).digest() for image in images)
            written |= dict(zip(obs.index, hashed, strict=True))
            yield CropBatch(images=images, masks=None, obs=obs)
    if not written:
        raise CropError(_nothing_left(problems))
    _LOG.info("imported %d pictures", len(written))
    _say_repeated(entries, written)


def _say_repeated(entries: Sequence[_Entry], written: Mapping[str, bytes]) -> None:
    """Say which pictures of a test or validation set are trained on too, the same in every pixel."""
    splits = {entry.picture.name: entry.picture.split for entry in entries}
    trained = {pixels: name for name, pixels in written.items() if splits[name] == "train"}
    held = [name for name in written if splits[name] in ("val", "test")]
    again = [name for name in held if written[name] in trained]
    if again:
        _LOG.warning(
            "%d of %d pictures of the test or validation set are in the training set too, the same in every "
            "pixel, e.g. %s is %s: scores on them tell nothing of new pictures",
            len(again),
            len(held),
            again[0],
            trained[written[again[0]]],
        )


def _mapping(entries: Sequence[_Entry], pool: ExitStack) -> Callable[..., Iterator]:
    """Choose `map`: that of threads for large pictures, the plain one for small ones."""
    pixels = np.mean([entry.look.width * entry.look.height for entry in entries])
    if pixels < _WORTH_THREADS:
        return map
    return pool.enter_context(ThreadPoolExecutor(CPU_COUNT)).map


def _tabulate(entries: Sequence[_Entry]) -> pd.DataFrame:
    """Lay down obs; what no picture says gets no column."""
    pictures = [entry.picture for entry in entries]
    columns = {
        PLATE: [picture.plate for picture in pictures],
        "Metadata_Split": [picture.split for picture in pictures],
        "Metadata_Class": [picture.kind for picture in pictures],
        "Metadata_Coarse": [picture.coarse for picture in pictures],
    }
    said = {name: values for name, values in columns.items() if any(values)}
    return pd.DataFrame(said, index=[picture.name for picture in pictures])


def _settings(paths: Sequence[Path], size: int | None, form: Form) -> dict[str, Any]:
    """Say where the pictures came from and what was done to them; a folder has no one hash."""
    return {
        "sources": [path.name for path in paths],
        "sha256": [sha256(path) if path.is_file() else "" for path in paths],
        "size": size,
        "changes": form.changes or None,
    }


def _nothing_left(problems: Sequence[_Problem]) -> str:
    first = problems[0]
    return (
        f"no picture is left: all {len(problems):,} cannot be used, e.g. {first.picture} of "
        f"{first.source}: {first.why}"
    )


def _save_problems(problems: Sequence[_Problem], out: Path) -> None:
    """Write what was left out beside the crop file, as ``plates index`` does."""
    path = out.with_name(f"{out.stem}.problems.csv")
    write_csv(pd.DataFrame(problems, columns=["Source", "Picture", "Problem"]), path)
    if problems:
        _LOG.warning(
            "%d pictures cannot be used and are left out, e.g. %s: %s; all are named in %s",
            len(problems),
            problems[0].picture,
            problems[0].why,
            path,
        )

"""Holding downloaded data against what was published and recorded; nothing is changed."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cellssl.datasets.downloads.comparison import compare, compare_member, is_here
from cellssl.datasets.downloads.getting import WORK
from cellssl.datasets.downloads.manifest import File, Manifest
from cellssl.datasets.downloads.reading import load_manifest
from cellssl.datasets.downloads.record import RECORD, Record
from cellssl.errors import DataError
from cellssl.progress import track
from cellssl.words import listed


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and how to mend it."""

    path: Path
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}\n    {self.mend}"


@dataclass(frozen=True)
class Verified:
    """What `verify_data` found.

    Attributes
    ----------
    checked : int
        Files that were hashed, or missed.
    findings : list of Finding
        What is wrong.
    notes : list of str
        What is not wrong, and should be known.
    """

    checked: int
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify_data(
    name: str | Path,
    folder: str | Path,
    *,
    parts: Sequence[str] | None = None,
    progress: bool = True,
) -> Verified:
    """Check size and hash of all files of a data set that were downloaded into a folder.

    Parameters
    ----------
    name : str or path
        A data set of `manifest_names`, or the path of a manifest.
    folder : path
        Where it lies.
    parts : sequence of str, optional
        Parts that must be there. By default those of which anything is there are checked.
    progress : bool
        Whether a bar is shown.

    Raises
    ------
    DataError
        When the folder holds nothing of the data set, or its record is damaged.
    """
    manifest, folder = load_manifest(name), Path(folder)
    record = Record.load(folder)
    chosen = manifest.choose(parts)
    if not parts:
        chosen = [part for part in chosen if _begun(manifest.parts[part], record, folder)]
    if not chosen:
        raise DataError(
            f"nothing of {manifest.name} is in {folder}: get it with "
            f"`cellssl data get {name} --out {shlex.quote(str(folder))}`, or name its folder"
        )
    checks = [
        (path, look, part)
        for part in chosen
        for file in manifest.parts[part]
        for path, look in _checks(file, record, folder)
    ]
    verified = Verified(len(checks), notes=_notes(manifest, chosen, record, folder))
    for path, look, part in track(checks, "verifying", shown=progress):
        if problem := look():
            remove = f"rm {shlex.quote(str(path))} && " if path.exists() else ""
            again = f"cellssl data get {name} --part {part} --out {shlex.quote(str(folder))}"
            verified.findings.append(Finding(path, problem, f"mend it: {remove}{again}"))
    return verified


def count_here(manifest: Manifest, folder: Path) -> int:
    """Count the files of a data set that a folder holds whole, by its record and their sizes."""
    record = Record.load(folder)
    return sum(is_here(file, record.files.get(file.name), folder) for file in manifest.files())


def _checks(file: File, record: Record, folder: Path) -> Iterator[tuple[Path, Callable[[], str]]]:
    """Give the files that one of a manifest stands for, unpacked or as it is, and what tells their problem."""
    entry, own = record.files.get(file.name), folder / file.name
    members = {} if entry is None or file.unpack is None else entry.unpacked or {}
    for place, digest in members.items():
        path = folder / str(file.unpack) / place
        yield path, partial(compare_member, path, digest)
    if not members or own.exists():
        yield own, lambda: compare(own, file, entry)[1] if own.is_file() else "is missing"


def _begun(files: Sequence[File], record: Record, folder: Path) -> bool:
    return any(file.name in record.files or (folder / file.name).exists() for file in files)


def _notes(manifest: Manifest, chosen: Sequence[str], record: Record, folder: Path) -> list[str]:
    """Say what is not there, what is half there, and what nobody can vouch for."""
    notes = []
    absent = [part for part in manifest.parts if part not in chosen]
    if absent:
        notes.append(
            f"{len(absent)} of {len(manifest.parts)} parts are not here: {listed(absent, most=4)}"
        )
    begun = [f.name for f in manifest.files() if (folder / WORK / f"{f.name}.part").exists()]
    if begun:
        notes.append(f"half downloaded (`cellssl data get` goes on): {listed(begun, most=4)}")
    present = [f for f in manifest.files(chosen) if (folder / f.name).exists()]
    packed = [f.name for f in present if f.unpack and not (folder / f.unpack).exists()]
    if packed:
        notes.append(f"not unpacked yet (`cellssl data get` does it): {listed(packed, most=4)}")
    unknown = [f.name for f in present if not f.checksum and f.name not in record.files]
    if unknown:
        notes.append(
            "no checksum is published or recorded (`cellssl data get` records it in "
            f"{RECORD}): {listed(unknown, most=4)}"
        )
    return notes

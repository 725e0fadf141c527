"""Holding downloaded data against what was published and recorded; nothing is changed."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cellssl.datasets.downloads.comparison import compare, compare_member, is_here
from cellssl.datasets.downloads.getting import WORK
from cellssl.datasets.downloads.manifest import File, Manifest
from cellssl.datasets.downloads.reading import load_manifest
from cellssl.datasets.downloads.record import RECORD, Digest, Record
from cellssl.errors import DataError
from cellssl.progress import track
from cellssl.words import listed

__all__ = ["Finding", "Verified", "count_here", "verify_data"]


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
        check
        for part in chosen
        for file in manifest.parts[part]
        for check in _checks(file, record, folder, f"{name} --part {part}")
    ]
    verified = Verified(len(checks), notes=_notes(manifest, chosen, record, folder))
    for check in track(checks, "verifying", shown=progress):
        finding = check.run()
        if finding is not None:
            verified.findings.append(finding)
    return verified


def count_here(manifest: Manifest, folder: Path) -> int:
    """Count the files of a data set that a folder holds whole, by its record and their sizes."""
    record = Record.load(folder)
    return sum(is_here(file, record.files.get(file.name), folder) for file in manifest.files())


@dataclass(frozen=True)
class _Check:
    """One file to look at: as it was downloaded, or as it was unpacked (`member`)."""

    path: Path
    file: File
    record: Record
    member: Digest | None
    again: str

    def run(self) -> Finding | None:
        """Look at it."""
        if self.member is not None:
            problem = compare_member(self.path, self.member)
        elif not self.path.is_file():
            problem = "is missing"
        else:
            problem = compare(self.path, self.file, self.record.files.get(self.file.name))[1]
        if not problem:
            return None
        remove = f"rm {shlex.quote(str(self.path))} && " if self.path.exists() else ""
        return Finding(self.path, problem, f"mend it: {remove}{self.again}")


def _checks(file: File, record: Record, folder: Path, what: str) -> list[_Check]:
    """List the files that one file of a manifest stands for."""
    again = f"cellssl data get {what} --out {shlex.quote(str(folder))}"
    entry = record.files.get(file.name)
    members = {} if entry is None or file.unpack is None else entry.unpacked or {}
    checks = [
        _Check(folder / str(file.unpack) / path, file, record, digest, again)
        for path, digest in members.items()
    ]
    if not members or (folder / file.name).exists():
        checks.append(_Check(folder / file.name, file, record, None, again))
    return checks


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

"""Getting a data set: what is missing is downloaded, checked, unpacked and recorded.

While it works, everything unfinished lies in ``FOLDER/.downloading``; a file, or the folder that an
archive becomes, is renamed into its place when it is whole. So the process may be killed at any time.
"""

import logging
import re
import shlex
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress

from cellssl.arguments import whole_numbers
from cellssl.datasets.downloads.comparison import compare, is_here
from cellssl.datasets.downloads.failure import DiskFullError, is_disk_full
from cellssl.datasets.downloads.manifest import File, Manifest
from cellssl.datasets.downloads.meter import Meter
from cellssl.datasets.downloads.reading import load_manifest
from cellssl.datasets.downloads.record import RECORD, Digest, Entry, Record
from cellssl.datasets.downloads.transfer import UnreachableError, fetch
from cellssl.datasets.downloads.unpacking import unpack
from cellssl.errors import DataError
from cellssl.files import locked, make_folder
from cellssl.progress import bar

_LOG = logging.getLogger(__name__)
WORK = ".downloading"
_POOCHS = re.compile(r"tmp[a-z0-9_]{8}")  # files that a killed pooch leaves


@dataclass(frozen=True)
class Obtained:
    """What `get_data` did.

    Attributes
    ----------
    manifest : Manifest
    folder : Path
    got, found : list of str
        Names of files that were downloaded (or, put there by hand, taken over) now, and of those
        that were there.
    unpublished : list of str
        Those of `got` of which no full checksum is published: recorded as they are.
    """

    manifest: Manifest
    folder: Path
    got: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    unpublished: list[str] = field(default_factory=list)


@whole_numbers(error=DataError, workers=1)
def get_data(
    name: str | Path,
    folder: str | Path,
    *,
    parts: Sequence[str] | None = None,
    workers: int = 4,
    progress: bool = True,
) -> Obtained:
    """Download a data set, or what is missing of it.

    A file that is there and recorded is told by its size (`verify_data` hashes it). One that somebody
    put there is taken over when it is as published. An archive becomes a folder, and its download
    is then deleted; one that somebody put there stays.

    Parameters
    ----------
    name : str or path
        A data set of `manifest_names`, or the path of a manifest.
    folder : path
        Where it shall lie.
    parts : sequence of str, optional
        Names of parts, or patterns (``Week1_*``); all by default.
    workers : int
        Files at the same time.
    progress : bool
        Whether bars are shown.

    Raises
    ------
    DataError
        When something cannot be had, is not what it should be, or has no room. What could be had
        is there, and the next call goes on.
    """
    manifest = load_manifest(name)
    files = list(manifest.files(manifest.choose(parts)))
    folder = make_folder(folder)
    with locked(folder), bar(shown=progress) as display:
        call = _Call(folder, Record.load(folder), display)
        obtained = Obtained(manifest, folder)
        call.run(files, workers, obtained)
    return obtained


@dataclass
class _Call:
    """One call of `get_data`: what its threads share."""

    folder: Path
    record: Record
    display: Progress
    stop: threading.Event = field(default_factory=threading.Event)
    silent: set[str] = field(default_factory=set)

    @property
    def work(self) -> Path:
        """The folder for what is unfinished."""
        return self.folder / WORK

    def run(self, files: Sequence[File], workers: int, obtained: Obtained) -> None:
        """Obtain the files that are missing, several at a time; raise for those that failed."""
        entries = self.record.files
        missing = [f for f in files if not is_here(f, entries.get(f.name), self.folder)]
        obtained.found.extend(file.name for file in files if file not in missing)
        self.work.mkdir(exist_ok=True)
        self._sweep(obtained.found)
        failures: dict[str, str] = {}
        with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
            jobs = {pool.submit(self._obtain, file): file for file in missing}
            task = self.display.add_task("files", total=len(jobs), note="")
            try:
                for job in as_completed(jobs):
                    self._finish(job, jobs[job], obtained, failures)
                    self.display.advance(task)
            except BaseException:
                self.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        if not any(self.work.iterdir()):
            self.work.rmdir()
        if failures:
            raise DataError(_list_failures(failures, obtained))

    def _sweep(self, found: Sequence[str]) -> None:
        """Remove what a killed process left, archives of what was `found` too: nobody else works here now."""
        for name in found:
            (self.work / name).unlink(missing_ok=True)
        for path in self.work.glob("*.unpacking"):
            shutil.rmtree(path)
        left = [path for path in self.work.iterdir() if _POOCHS.fullmatch(path.name)]
        for path in (*left, *self.folder.glob(f".{RECORD}.*")):
            path.unlink()

    def _finish(
        self, job: "Future[Entry]", file: File, obtained: Obtained, failures: dict[str, str]
    ) -> None:
        """Record what a thread obtained, in the calling thread."""
        try:
            entry = job.result()
        except DiskFullError:
            raise  # for the others there is no room either
        except DataError as error:
            failures[file.name] = str(error)
            return
        self.record.files[file.name] = entry
        self.record.save(self.folder)
        (self.work / file.name).unlink(missing_ok=True)  # an archive, now that it is unpacked
        obtained.got.append(file.name)
        if not _in_full(file):
            obtained.unpublished.append(file.name)
        count = "" if entry.unpacked is None else f", unpacked to {len(entry.unpacked):,} files"
        _LOG.info("%s: %s MB%s", file.name, f"{entry.size / 1e6:,.1f}", count)

    def _obtain(self, file: File) -> Entry:
        """Bring one file into its place: download, check, unpack."""
        meter = Meter(self.display, file.name, self.stop)
        try:
            return self._bring(file, meter)
        except OSError as error:
            if is_disk_full(error):
                raise DiskFullError(self.folder, file.name) from error
            where = error.filename or self.folder
            raise DataError(f"{file.name}: {error.strerror or error}: {where}") from error
        finally:
            meter.close()

    def _bring(self, file: File, meter: Meter) -> Entry:
        entry, place = self.record.files.get(file.name), self.folder / file.name
        by_hand = place.exists()
        source, address = (place, "") if by_hand else self._download(file, entry, meter)
        meter.begin("checking")
        digest, problem = compare(source, file, entry)
        if problem:
            raise DataError(_discard(source, problem, address))
        unpacked = self._unpack(source, file, meter, keep=by_hand) if file.unpack else None
        if not by_hand and not file.unpack:
            source.replace(place)
        if entry is not None and by_hand:
            address = entry.address
        return Entry(size=digest.size, sha256=digest.sha256, address=address, unpacked=unpacked)

    def _download(self, file: File, entry: Entry | None, meter: Meter) -> tuple[Path, str]:
        known = file.checksum if _in_full(file) else None
        if known is None and entry is not None:
            known = f"sha256:{entry.sha256}"
        try:
            return fetch(file, self.work, known=known, meter=meter, silent=self.silent)
        except UnreachableError as error:
            why = str(error)
            if known is not None and known != file.checksum and known in why:
                why += (
                    f". That is the checksum of its first download: the file at its source is another "
                    f"by now. If you trust it, delete the entry {file.name!r} in {RECORD}"
                )
            raise UnreachableError(
                f"{why}\n    fetch {file.addresses[0]} where there is a network\n"
                f"    put it at {self.folder / file.name}, and give the same command again"
            ) from error

    def _unpack(self, source: Path, file: File, meter: Meter, *, keep: bool) -> dict[str, Digest]:
        meter.begin("unpacking")
        try:
            return unpack(source, self.folder / str(file.unpack), work=self.work, add=meter.add)
        except DiskFullError:
            raise
        except DataError as error:
            if keep:
                raise
            source.unlink()
            raise DataError(f"{error} (the download was deleted)") from error


def _in_full(file: File) -> bool:
    """Whether a checksum of full length is published."""
    return len(file.digits) == {"md5": 32, "sha256": 64}.get(file.algorithm or "", -1)


def _discard(path: Path, problem: str, address: str) -> str:
    """Say what is wrong with a file; delete it if it was downloaded just now."""
    if address:
        path.unlink()
        return f"what {address} gave {problem}: it was deleted"
    return (
        f"{path} {problem}: it is damaged or another file; delete it (rm {shlex.quote(str(path))}) "
        "and give the same command again"
    )


def _list_failures(failures: dict[str, str], obtained: Obtained) -> str:
    lines = [f"  {name}: {why}" for name, why in failures.items()]
    there = len(obtained.got) + len(obtained.found)
    return (
        f"{len(failures)} of {len(failures) + there} files could not be had (the others are in "
        f"{obtained.folder}; the same command goes on):\n" + "\n".join(lines)
    )

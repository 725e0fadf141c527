"""Whether files are what was published, and what they were when they were recorded."""

from pathlib import Path

from cellssl.datasets.downloads.manifest import File
from cellssl.datasets.downloads.record import Digest, Entry, digest_of


def compare(path: Path, file: File, entry: Entry | None) -> tuple[Digest, str]:
    """Hold a downloaded file against its publisher's size and checksum, and against the record.

    Returns
    -------
    Digest, str
        What it is, and what is wrong with it; an empty text when nothing is.
    """
    import pooch

    digest = digest_of(path)
    if file.size is not None and digest.size != file.size:
        return digest, f"has {digest.size:,} bytes, published are {file.size:,}"
    if file.algorithm is not None:
        found = digest.sha256
        if file.algorithm != "sha256":
            found = pooch.file_hash(str(path), alg=file.algorithm)
        if not found.startswith(file.digits):
            return digest, f"has {file.algorithm} {found}, published is {file.digits}"
    return digest, "" if entry is None else _compare_digests(digest, entry)


def compare_member(path: Path, recorded: Digest) -> str:
    """Hold a file that was unpacked against the record; say what is wrong with it."""
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != recorded.size:
        return f"has {size:,} bytes, recorded are {recorded.size:,}"
    return _compare_digests(digest_of(path), recorded)


def _compare_digests(digest: Digest, recorded: Digest) -> str:
    if digest.sha256 == recorded.sha256:
        return ""
    return f"has sha256 {digest.sha256}, recorded at its first download is {recorded.sha256}"


def is_here(file: File, entry: Entry | None, folder: Path) -> bool:
    """Say whether a recorded file, or all that it was unpacked to, is there by its size."""
    if entry is None:
        return False
    if file.unpack is None:
        return _has_size(folder / file.name, entry.size)
    members = entry.unpacked or {}
    return bool(members) and all(
        _has_size(folder / file.unpack / path, member.size) for path, member in members.items()
    )


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size

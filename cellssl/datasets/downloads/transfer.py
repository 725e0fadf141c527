"""One file over HTTP, by pooch, going on where an earlier attempt stopped.

Bytes are gathered in ``NAME.part``. The next attempt asks for the rest of it (``Range``), on the
condition that the file at the address is still the same (``If-Range``, with the ETag or the date that
the first answer carried, kept in ``NAME.part.tag``); a server that knows no ranges, or has another
file by now, sends everything and the part is begun anew (RFC 9110, 13.1.5 and 14).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from cellssl.datasets.downloads.failure import DiskFullError, is_disk_full, require_room
from cellssl.datasets.downloads.manifest import File
from cellssl.datasets.downloads.meter import Meter
from cellssl.errors import DataError

if TYPE_CHECKING:
    from requests import Response


_CHUNK = 1 << 16  # bytes: what a kill can lose
_TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two pieces
_TRIES = 4  # attempts in a row that bring nothing new
_WAIT = 1.0  # seconds before the second attempt, doubled before each further one
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that may be better a little later


class UnreachableError(DataError):
    """A file cannot be had from any of its addresses."""


class _PassingError(Exception):
    """What may go better at the next attempt."""


def fetch(
    file: File, folder: Path, *, known: str | None, meter: Meter, silent: set[str]
) -> tuple[Path, str]:
    """Download a file into a folder, or finish its download.

    Parameters
    ----------
    file : File
        Which.
    folder : Path
        Where it and its ``.part`` are kept. A file that is there whole is not downloaded again.
    known : str, optional
        What pooch holds it against: ``md5:…`` or ``sha256:…`` in full.
    meter : Meter
        Told of every piece.
    silent : set of str
        Hosts that did not answer, shared between the files of a call: asked once, not once a file.

    Returns
    -------
    Path, str
        The file, and the address it came from.

    Raises
    ------
    UnreachableError
        When no address gives the file.
    DiskFullError
        When there is no room.
    """
    import logging

    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)  # it would tell each file's name and hash
    reasons = []
    for address in file.addresses:
        host = urlsplit(address).netloc
        if host in silent:
            reasons.append(f"{host} does not answer")
            continue
        downloader = _Resuming(file, folder / f"{file.name}.part", known is not None, meter)
        try:
            path = pooch.retrieve(
                address, known_hash=known, fname=file.name, path=folder, downloader=downloader
            )
        except UnreachableError as error:
            reasons.append(str(error))
        except DataError:
            raise
        except (requests.RequestException, _PassingError) as error:
            if _unanswered(error):
                silent.add(host)
            reasons.append(f"{address}: {_reason(error)}")
        except ValueError:  # pooch's, for a wrong hash; it has deleted the file
            if known is None:
                raise
            reasons.append(f"what {address} gave is not the file with {known}, and was deleted")
        else:
            return Path(path), address
    raise UnreachableError("; ".join(reasons))


@dataclass(frozen=True)
class _Resuming:
    """A downloader for pooch that keeps what it has and asks for the rest.

    Attributes
    ----------
    part : Path
        Where bytes are gathered.
    checked : bool
        Whether a full checksum will be held against the result. Without one, a part is continued only
        where the server says that the file is still the same.
    """

    file: File
    part: Path
    checked: bool
    meter: Meter

    @property
    def tag(self) -> Path:
        """The file with what the server called the version that the part is of."""
        return self.part.with_name(f"{self.part.name}.tag")

    def __call__(self, url: str, output_file: str, pooch: object) -> None:  # noqa: ARG002 - pooch's interface
        """Download `url` to `output_file`."""
        import requests
        from urllib3.exceptions import HTTPError

        most, tries = self._have(), 0
        while True:
            try:
                self._receive(url)
                break
            except (requests.RequestException, HTTPError, _PassingError) as error:
                tries = 1 if self._have() > most else tries + 1
                most = max(most, self._have())
                if tries >= (2 if _unanswered(error) else _TRIES):
                    if isinstance(error, HTTPError):
                        raise _PassingError(_reason(error)) from error
                    raise
                self.meter.wait(_WAIT * 2 ** (tries - 1))
        self.tag.unlink(missing_ok=True)
        self.part.replace(output_file)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive(self, url: str) -> None:
        """Ask for what is missing, and write what comes."""
        import requests

        have, tag = self._have(), self.tag.read_text("utf-8") if self.tag.exists() else ""
        if not tag and not self.checked:
            have = 0
        # Compressed on the way, lengths and positions would not be the file's.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if tag:
                headers["If-Range"] = tag
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if url.startswith("https:") and not response.url.startswith("https:"):
                raise UnreachableError(f"{url} leads to {response.url}, which is not https")
            if have and response.status_code == 416:
                if _total(response) == have:
                    return
                self.part.unlink()
                raise _PassingError(f"{have:,} bytes were kept, more than the file has")
            self._refuse(response, url)
            start = _start(response)
            if start not in (0, have):
                self.part.unlink(missing_ok=True)
                raise _PassingError(f"the server sent from byte {start:,} instead of {have:,}")
            self._write(response, start, url)

    def _refuse(self, response: "Response", url: str) -> None:
        """Turn an answer that is not the file into an error."""
        if response.status_code in _PASSING:
            raise _PassingError(f"the server says {response.status_code} {response.reason}")
        if response.status_code not in (200, 206):
            raise UnreachableError(f"{url}: {response.status_code} {response.reason}")
        total, size = _total(response), self.file.size
        if size is not None and total is not None and total != size:
            raise UnreachableError(
                f"{url} has {total:,} bytes, wanted {size:,}: it is another file"
            )

    def _write(self, response: "Response", start: int, url: str) -> None:
        """Write an answer's bytes to the part, from byte `start` on."""
        total = _total(response)
        total = self.file.size if total is None else total
        require_room(self.part.parent, self.file.name, (total or 0) - start)
        try:
            with self.part.open("ab" if start else "wb") as stream:
                if not start:
                    self.tag.write_text(_version(response), "utf-8")
                self.meter.begin("downloading", done=start, total=total)
                received = start + self._copy(response, stream, start, url)
        except OSError as error:
            if is_disk_full(error):
                missing = total - self._have() if total else None
                raise DiskFullError(self.part.parent, self.file.name, missing) from error
            raise
        if total is not None and received != total:
            raise _PassingError(f"the connection ended after {received:,} of {total:,} bytes")

    def _copy(self, response: "Response", stream: BinaryIO, start: int, url: str) -> int:
        """Copy what comes, as it comes: a .gz stays packed whatever the server calls it."""
        count, size = 0, self.file.size
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            stream.write(chunk)
            count += len(chunk)
            self.meter.add(len(chunk))
            if size is not None and start + count > size:
                self.part.unlink()
                raise UnreachableError(f"{url} has more than {size:,} bytes: it is another file")
        stream.flush()
        os.fsync(stream.fileno())
        return count


def _version(response: "Response") -> str:
    """Give what names this version of the file: a strong ETag, or the date; else nothing."""
    etag = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _range(response: "Response") -> re.Match[str] | None:
    said = response.headers.get("Content-Range", "")
    return re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", said.strip())


def _start(response: "Response") -> int:
    """Tell where an answer begins in the file: -1 when a partial answer does not say."""
    if response.status_code != 206:
        return 0
    found = _range(response)
    return int(found[1]) if found and found[1] else -1


def _total(response: "Response") -> int | None:
    """Tell how long the whole file is, if the server says so."""
    if response.status_code in (206, 416):
        found = _range(response)
        return int(found[2]) if found and found[2] != "*" else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _unanswered(error: Exception) -> bool:
    """Whether not even a connection came about."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return any(isinstance(e, NewConnectionError | ConnectTimeoutError) for e in _inside(error))


def _reason(error: Exception) -> str:
    """Give the innermost reason, without the address of an object before it."""
    *_, inner = _inside(error)
    return re.sub(r"^\S+\(.*?\): ", "", str(inner)) or type(inner).__name__


def _inside(error: BaseException) -> Iterator[BaseException]:
    """Go through the errors that libraries wrap in each other, from the outside in."""
    yield error
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            yield from _inside(inner)
            return

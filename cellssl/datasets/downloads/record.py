"""``checksums.json`` beside the data: size and SHA-256 of everything that was downloaded."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cellssl.errors import DataError
from cellssl.files import sha256, write_text

RECORD = "checksums.json"


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Digest(_Block):
    """What a file is: bytes and SHA-256."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Entry(Digest):
    """One downloaded file.

    Attributes
    ----------
    address : str
        Where it came from; empty when somebody put it there.
    unpacked : dict of str to Digest, optional
        The files that an archive became, by their path below the folder.
    """

    address: str = ""
    unpacked: dict[str, Digest] | None = None


class Record(BaseModel):
    """What lies in a folder of downloaded data.

    Attributes
    ----------
    files : dict of str to Entry
        By the file's name.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    note: str = (
        "Written by `cellssl data get`: size and SHA-256 of what was downloaded. "
        "`cellssl data verify` holds the files against it."
    )
    files: dict[str, Entry] = {}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a folder's record; an empty one where there is none.

        Raises
        ------
        DataError
            When it is damaged.
        """
        path = folder / RECORD
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes(), strict=True)
        except (OSError, ValidationError) as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise DataError(
                f"{path} is no record of downloads ({first}). Restore it from a backup; or delete it, "
                "and `cellssl data get` records what it finds anew (what no publisher's checksum "
                "covers is then taken as it is)"
            ) from error

    def save(self, folder: Path) -> None:
        """Write the record, whole or not at all."""
        write_text(self.model_dump_json(indent=1, exclude_none=True), folder / RECORD)


def digest_of(path: Path) -> Digest:
    """Measure and hash a file."""
    return Digest(size=path.stat().st_size, sha256=sha256(path))

"""The folder that `crop` writes: what lies in it, and what it was made from."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cellssl.errors import CropError
from cellssl.files import make_folder, write_text
from cellssl.nested import dotted

_SPARE = 1.1  # of the crops' size must be free on the disk before they are put together
_OURS = {"format", "segmenter.settings.version"}  # settings that nobody chooses


class CropFolder:
    """Names in a folder of crops, and the record (``crop.json``) of what they were made from.

    A record holds ``settings``, ``plates`` and ``fields``, a fingerprint; once all is done, ``remarks``,
    sentences on what is unusual about the images.

    Attributes
    ----------
    path : Path
        The folder.
    crops : Path
        The crop file; that it is there says that all is done.
    fields, dropped : Path
        The tables of fields, and of cells that were cut and dropped.
    illumination : Path
        What was divided out of the fields.
    record : Path
        What all this was made from.
    parts : Path
        The folder of finished fields, until all are done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.crops = path / "crops.h5ad"
        self.fields = path / "fields.csv"
        self.dropped = path / "dropped.csv"
        self.illumination = path / "illumination.npz"
        self.record = path / "crop.json"
        self.parts = path / "parts"

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Say whether just these crops are there and finished.

        Raises
        ------
        CropError
            When the folder holds crops of other settings or other plates.
        """
        if not self.record.is_file() or not self._begun():
            return False
        before = self._read_record()
        done, wanted = dict(before["settings"]), dict(record["settings"])
        if not self.crops.is_file():
            done["keep"] = wanted["keep"]  # fields are cut for any, and cells dropped at the end
        if done != wanted:
            raise CropError(
                f"{self.path} holds crops made {_differences(done, wanted)}; choose another folder with "
                "--out, or delete this one, as `cellssl run` does with --redo crop"
            )
        if before["plates"] != record["plates"]:
            names = ", ".join(before["plates"][:3]) + (", …" if len(before["plates"]) > 3 else "")
            raise CropError(
                f"{self.path} holds the cells of other plates ({names}); choose another folder with "
                "--out, and join the crop files with `cellssl crops join`"
            )
        complete = self.crops.is_file() and self.fields.is_file() and "remarks" in before
        return complete and bool(before["fields"] == record["fields"])

    def _begun(self) -> bool:
        """Say whether a field is finished; a run may have been stopped before, for want of a cluster say."""
        return self.crops.is_file() or any(self.parts.glob("[!.]*"))

    def begin(self, record: Mapping[str, Any]) -> None:
        """Clear what a killed run left behind, apart from its finished fields; note the record."""
        if not self._begun():  # what is there may be of other settings
            self.illumination.unlink(missing_ok=True)
        results = (self.crops, self.fields, self.dropped)
        for path in (*results, self.record, self.illumination):
            for leftover in self.path.glob(f".{path.name}.*"):
                leftover.unlink(missing_ok=True)
        for stale in results:
            stale.unlink(missing_ok=True)
        make_folder(self.parts)
        for leftover in self.parts.glob(".*"):
            leftover.unlink(missing_ok=True)
        write_text(json.dumps(record, indent=1), self.record)

    def keep_remarks(self, remarks: Sequence[str]) -> None:
        """Note, beside what the crops were made from, what is unusual about their images."""
        record = {**self._read_record(), "remarks": list(remarks)}
        write_text(json.dumps(record, indent=1), self.record)

    def read_remarks(self) -> tuple[str, ...]:
        """Read what `keep_remarks` noted; nothing where crops were finished without."""
        return tuple(self._read_record().get("remarks", ()))

    def require_room(self, parts: Iterable[Path]) -> None:
        """Make sure that the crops have room beside the parts that they are made from.

        Raises
        ------
        CropError
            When the disk has too little left.
        """
        needed = int(_SPARE * sum(part.stat().st_size for part in parts))
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise CropError(
                f"the crops need {needed / 1e6:,.0f} MB in {self.path}, and {free / 1e6:,.0f} MB are "
                "free. All fields are done and kept: make room and give the same command again."
            )

    def forget_parts(self) -> None:
        """Remove the finished fields, now that the crops are made of them."""
        shutil.rmtree(self.parts, ignore_errors=True)

    def _read_record(self) -> dict[str, Any]:
        try:
            record = json.loads(self.record.read_text())
            if {"settings", "plates", "fields"} <= set(record):
                return dict(record)
        except (OSError, ValueError, TypeError):
            pass
        raise CropError(
            f"{self.record} was not written by this version's `cellssl crop`; choose another folder "
            "with --out"
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the settings that differ: `with other settings (size: 64, now 96)`."""
    old, new = (dict(dotted(settings)) for settings in (before, now))
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if set(keys) <= _OURS:
        return "by a version of cellssl that cuts or judges otherwise"
    told = "; ".join(f"{key}: {old.get(key)}, now {new.get(key)}" for key in keys)
    return f"with other settings ({told})"

"""A small JSON file beside exported pixels and CSV: what those two cannot say."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.crops.copying import described
from cellssl.crops.exchange.foreign import NAME
from cellssl.crops.store import Crops
from cellssl.errors import CropError
from cellssl.files import write_text
from cellssl.nested import as_json

_KIND = "cellssl crops"


@dataclass(frozen=True)
class Sidecar:
    """Names of channels and masks, types of the table's columns, provenance.

    Attributes
    ----------
    channels, masks : tuple of str
        Names in the order of the pixels.
    columns : mapping
        Column of the table → its type, as pandas calls it.
    about : mapping
        Plain values of ``uns["cellssl"]``.
    """

    channels: tuple[str, ...]
    masks: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, crops: Crops) -> "Sidecar":
        """Describe a crop file."""
        columns = {str(name): str(dtype) for name, dtype in crops.obs.dtypes.items()}
        return cls(crops.channels, crops.mask_names, columns, as_json(described(crops)))

    @classmethod
    def read(cls, path: Path) -> "Sidecar | None":
        """Read what `write` wrote; None when there is no such file, or it is not one of ours."""
        if not path.is_file():
            return None
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(stored, dict) or stored.get("kind") != _KIND:
                return None
            return cls(
                channels=tuple(map(str, stored["channels"])),
                masks=tuple(map(str, stored["masks"])),
                columns={str(name): str(dtype) for name, dtype in stored["columns"].items()},
                about=dict(stored["about"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CropError(
                f"{path} is damaged ({error}): export the crops again, or delete it and name the "
                "channels with channels= (--channel)"
            ) from error

    def write(self, path: Path) -> None:
        """Write JSON, whole or not at all."""
        text = json.dumps({"kind": _KIND, **asdict(self)}, indent=1, ensure_ascii=False)
        write_text(text + "\n", path)

    def read_table(self, path: Path) -> pd.DataFrame:
        """Read an exported CSV with its columns' types; text stays text, empty text stays empty."""
        try:
            table = pd.read_csv(path)  # types guessed, for columns that came later
            known = {name: kind for name, kind in self.columns.items() if name in table}
            types: dict[str, Any] = {
                name: str if kind.startswith(("object", "str")) else kind
                for name, kind in {NAME: "str", **known}.items()
            }
            typed = pd.read_csv(
                path,
                usecols=list(types),
                dtype=types,
                keep_default_na=False,
                na_values={
                    name: ["", "nan", "NaN"] if kind.startswith("float") else [""]
                    for name, kind in types.items()
                    if kind is not str
                },
                float_precision="round_trip",
            )
            return table.assign(**{name: typed[name] for name in types})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CropError(f"the table of cells {path} cannot be read as CSV: {error}") from error

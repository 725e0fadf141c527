"""Which results are finished, and from which inputs: what lets a command be run again for free."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cellssl.files import write_text
from cellssl.studies.digest import digest


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Tell a file apart from other versions of itself by name, size and what it holds.

    The time of its last change stands beside them for `same`, since older records have nothing else.
    """
    if not Path(path).is_file():
        return {"file": Path(path).name, "missing": True}
    state = Path(path).stat()
    return {
        "file": Path(path).name,
        "bytes": state.st_size,
        "changed": state.st_mtime_ns,
        "digest": digest(path),
    }


def same(seen: Any, now: Any) -> bool:
    """Say whether recorded inputs are those of now: a copy of a file is the file, whatever its time says.

    Examples
    --------
    >>> file = {"file": "crops.h5ad", "bytes": 9, "digest": "5feceb66"}
    >>> same([{**file, "changed": 1}], [{**file, "changed": 2}])
    True
    """
    if isinstance(seen, dict) and isinstance(now, dict):
        unasked = {"changed"} if "digest" in seen and "digest" in now else {"digest"}
        keys = now.keys() - unasked
        return seen.keys() - unasked == keys and all(same(seen[key], now[key]) for key in keys)
    if isinstance(seen, list) and isinstance(now, list):
        return len(seen) == len(now) and all(map(same, seen, now))
    return bool(seen == now)


def orientation_inputs(orientations: int) -> dict[str, int]:
    """Name the orientations of an embedding among its inputs; 1 goes without saying, as in records of old."""
    return {} if orientations == 1 else {"orientations": orientations}


class Ledger:
    """A JSON file that records of each finished result the inputs it came from.

    Parameters
    ----------
    path
        Where the record is kept; its folder is the one that outputs are named relative to.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> ledger, table = Ledger(folder / "finished.json"), folder / "scores.csv"
    >>> ledger.finish("evaluate", {"label": "MOA"}, table, lambda: table.write_text("metric,value"))
    True
    >>> ledger.holds("evaluate", {"label": "MOA"}), ledger.holds("evaluate", {"label": "Dose"})
    (True, False)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def holds(self, name: str, inputs: Mapping[str, Any]) -> bool:
        """Whether `name` was finished from these inputs and all its outputs are as they were."""
        entry = read_record(self.path).get(name)
        if entry is None or not same(entry["inputs"], plain(inputs)):
            return False
        folder, outputs = self.path.parent, entry["outputs"]
        return all(same(seen, fingerprint(folder / output)) for output, seen in outputs.items())

    def finish(
        self, name: str, inputs: Mapping[str, Any], output: Path, work: Callable[[], object]
    ) -> bool:
        """Do a piece of work, which makes a file, unless its result for the same inputs is there; say whether."""
        if self.holds(name, inputs):
            return False
        work()
        entries = read_record(self.path)
        entries[name] = {
            "inputs": plain(inputs),
            "outputs": {str(output.relative_to(self.path.parent)): fingerprint(output)},
        }
        write_text(json.dumps(entries, indent=1), self.path)
        return True


def read_record(path: Path) -> dict[str, Any]:
    """Read a record; a missing or broken one means that nothing is known to be finished."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return entries if isinstance(entries, dict) else {}


def plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Bring inputs into the form in which JSON gives them back."""
    return json.loads(json.dumps(inputs, default=str, sort_keys=True))

"""Study files read: by name, by path, or from the folder that holds a study's runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cellssl.documents import Document, read_yaml
from cellssl.errors import StudyError, nearest
from cellssl.protocols import names as protocol_names
from cellssl.protocols.loading import shipped_folder
from cellssl.studies.study import SAVED, Study, Sweep

__all__ = ["load_study", "saved_study", "study_names"]


def saved_study(folder: str | Path) -> Study:
    """Read the study that a folder holds the runs of."""
    path = Path(folder) / SAVED
    if not path.is_file():
        raise StudyError(f"{folder} holds no study; `cellssl study run` writes one")
    return load_study(path)


def _folder() -> Path:
    """Find the shipped studies, beside the shipped protocols."""
    return shipped_folder() / "studies"


def study_names() -> list[str]:
    """List the names of the studies that come with cellssl.

    Examples
    --------
    >>> "bbbc021-combination" in study_names()
    True
    """
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_study(name: str | Path) -> Study:
    """Read a study that comes with cellssl, by name, or any other, by path.

    Raises
    ------
    StudyError
        When there is none, or with one line ``file:line: what is wrong`` for each mistake in it.
    """
    path = _find(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read as text ({error})") from error
    document = read_yaml(text)
    study = None
    if not document.problems:
        try:
            study = Study.model_validate(_with_files(document.value, path.parent))
        except ValidationError as error:
            _note(error, document)
    if study is None:
        raise StudyError(document.listed(str(path)))
    study._lines = (str(path), document.lines)
    return study


def _find(name: str | Path) -> Path:
    """Tell a path from a name."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = _folder() / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    raise StudyError(
        f"no study {str(name)!r}{nearest(name, study_names(), listed=True) or '.'} Give the path of a .yaml "
        f"file, or one of: {', '.join(study_names())}"
    )


def _with_files(values: Any, folder: Path) -> Any:
    """Find protocols and weights that lie beside the study, wherever the command is given."""
    if not isinstance(values, Mapping):
        return values
    found = dict(values)
    if "protocol" in found:
        found["protocol"] = _beside(found["protocol"], folder)
    if isinstance(found.get("baselines"), Mapping):
        found["baselines"] = {m: _beside(f, folder) for m, f in found["baselines"].items()}
    if isinstance(found.get("axes"), Mapping):
        found["axes"] = {axis: _views_beside(one, folder) for axis, one in found["axes"].items()}
    return found


def _views_beside(axis: Any, folder: Path) -> Any:
    if not isinstance(axis, Mapping):
        return axis
    return {
        name: {**change, "views_of": _beside(change["views_of"], folder)}
        if isinstance(change, Mapping) and "views_of" in change
        else change
        for name, change in axis.items()
    }


def _beside(value: Any, folder: Path) -> Any:
    """Give the path of a file beside the study; names of what comes with cellssl come first."""
    if not isinstance(value, str) or value in protocol_names():
        return value
    path = folder / value
    return str(path.absolute()) if path.is_file() else value


def _note(error: ValidationError, document: Document) -> None:
    """Say what is wrong in a microscopist's words, each with its line."""
    for item in error.errors(include_url=False):
        place = item["loc"]
        if place[:1] == ("axes",):  # the third is pydantic's name of what the axis was taken for
            place = place[:2] + place[3:]
        key = ".".join(map(str, place))
        if item["type"] == "extra_forbidden":
            known = list(Study.model_fields) if len(place) == 1 else list(Sweep.model_fields)
            message = f"unknown key {place[-1]!r}{nearest(str(place[-1]), known)}"
        elif item["type"] == "missing":
            message = f"needs the key {key!r}"
        elif item["type"] == "value_error":
            message = f"{key}: {item['ctx']['error']}"
        else:
            message = f"{key}: {item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"
        document.add(place, message)

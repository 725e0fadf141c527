"""Study files read: by name, by path, or from the folder that holds a study's runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cellssl.documents import Document, read_file, read_yaml
from cellssl.errors import StudyError, nearest
from cellssl.protocols import Protocol, names as protocol_names
from cellssl.protocols.editing import EDITS
from cellssl.shipped import STUDIES, shipped_names
from cellssl.studies.study import SAVED, Study, Sweep
from cellssl.words import listed

SAID_OF_SETTINGS = {"views_of", *EDITS, *Protocol.model_fields}
_SETTINGS = "{expert: {}, geometry: {keep: [rotate, flip]}}"
_SWEEP = "{sweep: stain_gain.amplitude, values: [0.1, 0.4]}"


def saved_study(folder: str | Path) -> Study:
    """Read the study that a folder holds the runs of."""
    path = Path(folder) / SAVED
    if not path.is_file():
        raise StudyError(f"{folder} holds no study; `cellssl study run` writes one")
    return load_study(path)


def study_names() -> list[str]:
    """List the names of the studies that come with cellssl.

    Examples
    --------
    >>> "bbbc021-combination" in study_names()
    True
    """
    return shipped_names(STUDIES)


def load_study(name: str | Path) -> Study:
    """Read a study that comes with cellssl, by name, or any other, by path.

    Raises
    ------
    StudyError
        When there is none, or with one line ``file:line: what is wrong`` for each mistake in it.
    """
    path = _find(name)
    document = read_yaml(read_file(path, "study", error=StudyError))
    if not document.problems:
        try:
            study = Study.model_validate(_with_files(document.value, path.parent))
        except ValidationError as error:
            _note(error, document)
    if document.problems:
        raise StudyError(document.listed(str(path)))
    study._file, study._document = str(path), document
    return study


def _find(name: str | Path) -> Path:
    """Tell a path from a name."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = STUDIES / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    raise StudyError(
        f"no study {str(name)!r}{nearest(name, study_names(), listed=True) or '.'} Give the path of a .yaml "
        f"file, or one of: {', '.join(study_names())}"
    )


def _with_files(value: Any, folder: Path, key: object = None) -> Any:
    """Find protocols and weights that lie beside the study, wherever the command is given; `key` is the value's."""
    if isinstance(value, Mapping):
        models = key == "baselines"  # each with its file of weights
        return {
            name: _with_files(one, folder, key if models else name) for name, one in value.items()
        }
    return _beside(value, folder) if key in ("protocol", "views_of", "baselines") else value


def _beside(value: Any, folder: Path) -> Any:
    """Give the path of a file beside the study; names of what comes with cellssl come first."""
    if not isinstance(value, str) or value in protocol_names():
        return value
    path = folder / value
    return str(path.absolute()) if path.is_file() else value


def _note(error: ValidationError, document: Document) -> None:
    """Say what is wrong in a microscopist's words, each with its line."""
    unnamed = _unnamed(document.value["axes"]) if "axes" in document.value else ""
    for item in error.errors(include_url=False):
        place = item["loc"]
        if place[:1] == ("axes",):  # the third is pydantic's name of what the axis was taken for
            place = place[:2] + place[3:]
            if unnamed:
                document.add(place[:1], unnamed)
                continue
        key = ".".join(map(str, place))
        if item["type"] == "extra_forbidden":
            known = list(Study.model_fields) if len(place) == 1 else list(Sweep.model_fields)
            message = f"unknown key {place[-1]!r}{nearest(str(place[-1]), known)}"
        elif item["type"] == "missing":
            message = f"needs the key {key!r}"
        elif place[0] == "axes" and len(place) <= 3 and _no_settings(item):
            message = f"{key}: got {item['input']!r}, but {_wanted(place)}"
        elif item["type"] == "value_error":
            message = f"{key}: {item['ctx']['error']}"
        else:
            message = f"{key}: {item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"
        document.add(place, message)


def _no_settings(item: ErrorDetails) -> bool:
    """Tell whether there is no mapping, or none with anything in it."""
    empty = item["type"] == "too_short" and isinstance(item["input"], Mapping)
    return empty or item["type"] == "dict_type"


def _wanted(place: tuple[int | str, ...]) -> str:
    """Say with an example what stands at a place: all axes, one, or a setting of one."""
    name = place[-1]
    if len(place) == 1:
        return f"a study has one axis at least, a name with its settings, as in axes: {{views: {_SETTINGS}}}"
    if len(place) == 3:
        return (
            f"a setting says what it changes of the protocol, as in {name}: {{keep: [rotate, flip]}}, or "
            f"nothing, {name}: {{}}"
        )
    return (
        f"an axis has its settings by name, as in {name}: {_SETTINGS}, or is a sweep, as in {name}: {_SWEEP}; if "
        f"{name!r} is itself a setting, write its axis's name above it"
    )


def _unnamed(axes: Any) -> str:
    """Say how to name an axis, where settings or a sweep stand in its place; nothing where none do."""
    if not isinstance(axes, Mapping):
        return ""
    if {"sweep", "values"} & set(axes):
        return f"axes: the sweep's axis has no name; write one above it, as in axes: {{gain: {_SWEEP}}}"
    if not any(isinstance(one, Mapping) and set(one) & SAID_OF_SETTINGS for one in axes.values()):
        return ""
    would, they = "would each be an axis, but say", "they are settings"
    if len(axes) == 1:
        would, they = "would be an axis, but says", "it is a setting"
    return (
        f"axes: {listed(list(axes), most=4)} {would} what settings say; if {they}, write the axis's name above, "
        f"as in axes: {{views: {_SETTINGS}}}"
    )

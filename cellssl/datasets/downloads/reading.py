"""Manifest files: found by name or path, read safely, each mistake with its line."""

from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cellssl.datasets.downloads.manifest import VERSION, File, Licence, Manifest
from cellssl.documents import Place, read_file, read_yaml
from cellssl.errors import DataError, nearest
from cellssl.shipped import MANIFESTS, shipped_names

_KINDS = {
    "int_type": "a whole number",
    "string_type": "text (put it in quotes)",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "string_too_short": "some text",
    "too_short": "one or more",
}


def manifest_names() -> list[str]:
    """List the data sets that come with a manifest.

    Examples
    --------
    >>> "mnist" in manifest_names()
    True
    """
    return shipped_names(MANIFESTS)


def load_manifest(name: str | Path) -> Manifest:
    """Read a manifest that comes with cellssl, by name, or any other, by path.

    Raises
    ------
    DataError
        When there is none, or with one line ``file:line: what is wrong`` for each mistake in it.

    Examples
    --------
    >>> load_manifest("cifar10").licence.name
    'none stated; the publisher asks to cite the report'
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = MANIFESTS / f"{name}.yaml"
        if str(name) not in manifest_names():
            raise DataError(
                f"no data set is called {str(name)!r}{nearest(name, manifest_names())} "
                "(or give the path of a manifest, a .yaml file)"
            )
    text = read_file(path, "manifest", error=DataError)
    return read_manifest(text, source=str(path))


def read_manifest(text: str, *, source: str = "manifest") -> Manifest:
    """Read a manifest from YAML text; `source` stands for the file in messages.

    Raises
    ------
    DataError
        With one line ``source:line: what is wrong`` for each mistake.
    """
    document = read_yaml(text)
    values = document.value
    if not document.problems and not isinstance(values, dict):
        document.add((), f"expected keys and values (version: {VERSION}, name: …)")
    if document.problems:
        raise DataError(document.listed(source))
    newer = values.get("version")
    if isinstance(newer, int) and newer > VERSION:
        raise DataError(
            f"{source}:{document.line(('version',))}: version {newer} is newer than this cellssl "
            f"knows ({VERSION}): update cellssl"
        )
    try:
        return Manifest.model_validate(values, strict=True)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            document.add(*_explain(item))
        raise DataError(document.listed(source)) from error


def _block(place: Place) -> tuple[str, type[BaseModel]]:
    """Tell in which block a key stands."""
    if len(place) > 1 and place[0] == "licence":
        return "licence", Licence
    if len(place) > 3 and place[0] == "parts":
        return "a file", File
    return "a manifest", Manifest


def _explain(item: ErrorDetails) -> tuple[Place, str]:
    """Say what is wrong in plain words, and where."""
    place, kind = item["loc"], item["type"]
    key = next((str(step) for step in reversed(place) if isinstance(step, str)), "")
    block, model = _block(place)
    if kind == "extra_forbidden":
        return place, f"unknown key {key!r} of {block}{nearest(key, model.model_fields)}"
    if kind == "missing":
        return place, f"{block} needs the key {key!r} ({model.model_fields[key].description})"
    if kind == "value_error":
        message = item["msg"].removeprefix("Value error, ")
        if not place:  # a mistake between keys: its text begins with the one to change
            return (message.split(":")[0],), message
        return place, f"{key}: {message}"
    said = item["msg"].removeprefix("Input should be ")
    return place, f"{key}: expected {_KINDS.get(kind, said)}, got {item['input']!r}"

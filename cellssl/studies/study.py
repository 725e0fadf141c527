"""A study file: one question, the protocols that answer it, and what is counted as an answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cellssl.augment import nearest
from cellssl.documents import Document, Dumper, read_yaml
from cellssl.errors import StudyError
from cellssl.files import atomic
from cellssl.protocols import names as protocol_names

__all__ = ["Study", "Sweep", "load_study", "saved_study", "study_names"]


SAVED = "study.yaml"


class Sweep(BaseModel):
    """One value of the protocol, taken through several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sweep: str = Field(description="dotted key, e.g. stain_gain.amplitude or training.method")
    values: list[Any] = Field(min_length=1, description="its values")

    @property
    def numeric(self) -> bool:
        """Whether a curve can be drawn over the values."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)


def _baselines(value: object) -> object:
    """Accept a list of names where nobody needs a weight file."""
    return dict.fromkeys(value) if isinstance(value, list) else value


class Study(BaseModel):
    """One question asked of many trainings.

    Every combination of one setting of each axis is trained with every seed. A setting is what a
    protocol file that extends the base protocol would say (and ``views_of``: the views of another
    protocol); a sweep takes one value through several.

    Examples
    --------
    >>> load_study("bbbc021-combination").seeds
    5
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="the study's name")
    question: str = Field("", description="what it asks, in one sentence")
    protocol: str = Field(description="the base protocol: a name, or a file beside this one")
    training: dict[str, Any] = Field(
        default_factory=dict, description="training settings of all runs, over the protocol's"
    )
    axes: dict[str, Sweep | dict[str, dict[str, Any] | None]] = Field(
        min_length=1, description="axis → its settings by name, or a sweep"
    )
    seeds: int = Field(3, ge=1, description="trainings of each combination; a claim needs three")
    label: str | None = Field(None, description="the column to score against")
    where: str | None = Field(None, description="a true/false column: which cells are scored")
    subsets: dict[str, list[str]] = Field(
        default_factory=dict, description="values of the label that are scored by themselves too"
    )
    normalise: str = Field("standardise", description="as `cellssl evaluate --normalise`")
    held_out: bool = Field(
        False, description="score only cells whose labels no training used (weak labels)"
    )
    baselines: Annotated[dict[str, str | None], BeforeValidator(_baselines)] = Field(
        default_factory=lambda: dict.fromkeys(["random", "simple-features"]),
        description="models beside the runs, each with its file of weights or none",
    )
    combine: dict[str, list[str]] = Field(
        default_factory=dict,
        description="name → combinations whose embeddings are put side by side, seed by seed; one "
        "that is named twice gives two seeds",
    )

    def changed(self, training: Mapping[str, Any], *, seeds: int | None = None) -> "Study":
        """Give the same study with other training settings, or another number of seeds.

        What wants more seeds of one combination than there are is not put together.
        """
        laid: dict[str, Any] = {"training": {**self.training, **training}}
        if seeds is not None:
            laid["seeds"] = seeds
            laid["combine"] = {
                name: parts
                for name, parts in self.combine.items()
                if max(map(parts.count, parts)) <= seeds
            }
        return self.model_copy(update=laid)

    def save(self, folder: Path) -> None:
        """Write ``study.yaml``, from which `saved_study` reads it."""
        values = self.model_dump(mode="json")
        with atomic(folder / SAVED) as part:
            part.write_text(yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def saved_study(folder: str | Path) -> Study:
    """Read the study that a folder holds the runs of."""
    path = Path(folder) / SAVED
    if not path.is_file():
        raise StudyError(f"{folder} holds no study; `cellssl study run` writes one")
    return load_study(path)


def _folder() -> Path:
    """Find the shipped studies, beside the shipped protocols."""
    shipped = Path(__file__).parents[1] / "protocols" / "shipped"
    return (shipped if shipped.is_dir() else Path(__file__).parents[2] / "protocols") / "studies"


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
    values = document.value
    if isinstance(values, Mapping) and isinstance(values.get("protocol"), str):
        beside = path.parent / values["protocol"]
        if values["protocol"] not in protocol_names() and beside.is_file():
            values = {**values, "protocol": str(beside)}
    try:
        study = None if document.problems else Study.model_validate(values)
    except ValidationError as error:
        _note(error, document)
        study = None
    if study is None:
        lines = [f"{path}:{one.line}: {one.message}" for one in sorted(set(document.problems))]
        raise StudyError("\n".join(lines))
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
        f"no study {str(name)!r}{nearest(str(name), study_names())}; give the path of a .yaml file, "
        f"or one of: {', '.join(study_names())}"
    )


def _note(error: ValidationError, document: Document) -> None:
    """Say what is wrong in a microscopist's words, each with its line."""
    for item in error.errors(include_url=False):
        place: Sequence[str | int] = [part for part in item["loc"] if part not in ("Sweep",)]
        place = [part for part in place if not str(part).startswith(("dict[", "nullable["))]
        key = ".".join(map(str, place))
        if item["type"] == "extra_forbidden":
            known = list(Study.model_fields) if len(place) == 1 else list(Sweep.model_fields)
            message = f"unknown key {place[-1]!r}{nearest(str(place[-1]), known)}"
        elif item["type"] == "missing":
            message = f"needs the key {key!r}"
        else:
            message = f"{key}: {item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"
        document.add(tuple(place), message)

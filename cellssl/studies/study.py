"""A study file: one question, the protocols that answer it, and what is counted as an answer."""

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
)

from cellssl.documents import Document, Dumper
from cellssl.errors import StudyError
from cellssl.files import write_text

SAVED = "study.yaml"

#: Columns of the tables that a study writes: an axis cannot be called so.
_COLUMNS = (
    *("embedding", "label", "subset", "split", "normalisation", "metric", "value", "low", "high"),
    *("n", "seed", "classes", "replicates", "weak", "note", "classifier", "class", "accuracy"),
    *("run", "state", "seconds"),
)

_LOG = logging.getLogger(__name__)


class Sweep(BaseModel):
    """One value of the protocol, taken through several."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sweep: str = Field(description="dotted key, e.g. stain_gain.amplitude or training.method")
    values: list[Any] = Field(min_length=1, description="its values")

    @field_validator("values")
    @classmethod
    def _differ(cls, values: list[Any]) -> list[Any]:
        names = [value_name(value) for value in values]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is here twice; keep one")
        return values

    @property
    def positions(self) -> dict[str, float] | None:
        """Where each value stands on an axis, by its name in tables; None where there is no order.

        A number stands at itself, a range (``[0.1, 2.0]``) at its upper end.

        Examples
        --------
        >>> Sweep(sweep="blur.sigma", values=[[0.1, 1.0], [0.1, 2.0]]).positions
        {'[0.1, 1.0]': 1.0, '[0.1, 2.0]': 2.0}
        """
        ends = [value[-1] if isinstance(value, list) and value else value for value in self.values]
        ordered = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
        if not ordered or len(set(ends)) < len(ends):
            return None
        return {value_name(v): float(end) for v, end in zip(self.values, ends, strict=True)}


def value_name(value: object) -> str:
    """Write a sweep's value as a table shows it: as YAML does."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _kind(value: object) -> str:
    """Tell a sweep from settings by name."""
    if isinstance(value, Mapping):
        is_sweep = "sweep" in value or isinstance(value.get("values"), list)
    else:
        is_sweep = isinstance(value, Sweep)
    return "sweep" if is_sweep else "settings"


def _baselines(value: object) -> object:
    """Accept a list of names where nobody needs a weight file."""
    return dict.fromkeys(value) if isinstance(value, list) else value


_Settings = Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)]
_Axis = Annotated[
    Annotated[Sweep, Tag("sweep")] | Annotated[_Settings, Tag("settings")], Discriminator(_kind)
]


class Study(BaseModel):
    """One question asked of many trainings.

    Every combination of one setting of each axis is trained with every seed. A setting is what a
    protocol file that extends the base protocol would say (and ``views_of``: the views of another
    protocol); a sweep takes one value through several.

    Examples
    --------
    >>> from cellssl.studies import load_study
    >>> load_study("bbbc021-combination").seeds
    5
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="the study's name")
    question: str = Field("", description="what it asks, in one sentence")
    protocol: str = Field(description="the base protocol: a name, or a file beside this one")
    crop: dict[str, Any] = Field(
        default_factory=dict, description="view size and scaling of all runs, over the protocol's"
    )
    training: dict[str, Any] = Field(
        default_factory=dict, description="training settings of all runs, over the protocol's"
    )
    axes: dict[str, _Axis] = Field(
        min_length=1, description="axis → its settings by name, or a sweep"
    )
    seeds: int = Field(3, ge=1, description="trainings of each combination; a claim needs three")
    label: str | None = Field(None, description="the column to score against")
    where: str | None = Field(None, description="a true/false column: which cells are scored")
    orientations: Literal[1, 4, 8] = Field(
        1,
        description="of how many orientations of a cell features are the mean, 1, 4 or 8, in all embeddings; to hold "
        "one number against another, copy the study's folder: trainings are kept",
    )
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
    galleries: list[str] = Field(
        default_factory=list,
        description="embeddings whose clusters are shown and measured: combinations, what is put "
        "together, or baselines",
    )
    # Where each value stands, for errors.
    _file: str = PrivateAttr("")
    _document: Document = PrivateAttr(default_factory=Document)

    @field_validator("axes")
    @classmethod
    def _name_no_column(cls, axes: dict[str, _Axis]) -> dict[str, _Axis]:
        for axis, settings in axes.items():
            if axis in _COLUMNS:
                raise ValueError(f"{axis!r} is a column of the tables; rename the axis")
            if not axis.strip():
                raise ValueError("an axis has no name; write one before its settings")
            if isinstance(settings, dict) and not all(map(str.strip, settings)):
                raise ValueError(f"{axis!r} has a setting without a name; give it one")
        return axes

    @property
    def weights(self) -> dict[str, Path | None]:
        """Baselines and their files of weights."""
        return {m: None if file is None else Path(file) for m, file in self.baselines.items()}

    def locate(self, *place: str) -> str:
        """Say where something of the study stands: file, line and keys; of one without a file, keys."""
        if not self._file:
            return ", ".join((self.name, *place))
        return f"{self._file}:{self._document.line(place)}: {', '.join(place)}"

    def changed(
        self,
        training: Mapping[str, Any] | None = None,
        *,
        seeds: int | None = None,
        baselines: Mapping[str, Path | None] | None = None,
    ) -> "Study":
        """Give the same study with other training settings, seeds or baselines.

        What wants more seeds of one combination than there are is not put together, which is said;
        nor is there a gallery of it, or of a baseline that is left out.

        Parameters
        ----------
        training : mapping, optional
            Dotted key → value, as of a protocol: ``{"training.epochs": 25}``.
        seeds : int, optional
            Trainings of each combination.
        baselines : mapping, optional
            Model → file of weights (None: by name).
        """
        laid: dict[str, Any] = {"training": _replaced(self.training, training or {})}
        gone: set[str] = set()
        if seeds is not None:
            if seeds < 1:
                raise StudyError(f"a study needs one seed at least, got {seeds}")
            kept = {n: p for n, p in self.combine.items() if max(map(p.count, p)) <= seeds}
            for name in self.combine.keys() - kept.keys():
                _LOG.warning("%s is left out: %d seeds are too few for it", name, seeds)
            gone |= self.combine.keys() - kept.keys()
            laid |= {"seeds": seeds, "combine": kept}
        if baselines is not None:
            laid["baselines"] = {
                model: None if file is None else str(file.absolute())
                for model, file in baselines.items()
            }
            gone |= self.baselines.keys() - baselines.keys()
        laid["galleries"] = [name for name in self.galleries if name not in gone]
        return self.model_copy(update=laid)

    def save(self, folder: Path) -> None:
        """Write ``study.yaml``, from which `saved_study` reads it."""
        values = self.model_dump(mode="json")
        text = yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True)
        write_text(text, folder / SAVED)


def _replaced(training: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Replace training settings by dotted key."""
    replaced = copy.deepcopy(dict(training))
    for key, value in changes.items():
        block, *way = key.split(".")
        if block != "training" or not way:
            raise StudyError(
                f"a study's training can be changed, with training.KEY=VALUE, got {key!r}; what else "
                "differs between protocols is an axis, or belongs into the base protocol"
            )
        inner = replaced
        for step in way[:-1]:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise StudyError(f"{key}: {step} is one value, with nothing inside it")
        inner[way[-1]] = value
    return replaced

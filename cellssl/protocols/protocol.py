"""What a protocol is: one typed, frozen description of an experiment."""

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, model_validator

from cellssl.augment import Operation
from cellssl.augment.quantities import quoted
from cellssl.columns import bare_name
from cellssl.training.settings import TrainingSettings

VERSION: Literal[2] = 2  # of the file's format; `migrating` reads the earlier ones
MOST_VIEWS = 16
SMALLEST, LARGEST = 8, 1024  # px, height and width of a view


def _names(value: object, what: str, alternative: str = "") -> tuple[str, ...]:
    """Accept a list of distinct names."""
    wanted = f"expected a list of {what} names"
    if not isinstance(value, list | tuple):
        raise ValueError(f"{wanted}{alternative}, got {value!r}; write [{value}]")
    if not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"{wanted}, got {list(value)!r}{quoted(value)}")
    if len(set(value)) < len(value):
        raise ValueError(f"expected every {what} once, got {list(value)!r}")
    return tuple(value)


def _channels(value: object) -> object:
    """Accept a list of distinct names, or "any"."""
    if value == "any":
        return value
    if isinstance(value, str) and value.lower() == "any":
        raise ValueError(f"expected a list of channel names or any, got {value!r}; write any")
    return _names(value, "channel", " or any")


def _columns(value: object) -> object:
    """Accept a list of distinct names, with or without ``Metadata_``; or nothing."""
    if value is None:
        return None
    names = _names(value, "column")
    return _names([bare_name(name) for name in names], "column")


def _plates(value: object) -> object:
    """Accept a list of distinct plate names, which may look like numbers; or nothing."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        value = [str(name) if type(name) is int else name for name in value]
    return _names(value, "plate")


def _percentiles(value: object) -> object:
    """Accept two rising numbers from 0 to 100."""
    wanted = "expected two rising percentiles [from, to] between 0 and 100"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{wanted}, got {value!r}")
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in value)
    if not numbers or not 0 <= value[0] < value[1] <= 100:
        raise ValueError(f"{wanted}, got {list(value)!r}")
    if value[1] <= 1:  # all but the darkest percent of pixels would be white
        percent = [round(100 * end, 6) for end in value]
        raise ValueError(f"{wanted}, got {list(value)!r}; in percent that is {percent}")
    return tuple(float(end) for end in value)


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScalingRule(_Block):
    """How integer pixels become numbers from 0 to 1; the rule of `cellssl.crops.Scaling`."""

    per: Literal["plate", "global", "cell"] = Field("plate", description="whose percentiles")
    percentiles: Annotated[tuple[float, float], BeforeValidator(_percentiles)] = Field(
        (1.0, 99.9), description="the percentiles that become 0 and 1"
    )
    transform: Literal["linear", "sqrt", "log"] = Field("linear", description="curve after scaling")


class Crop(_Block):
    """What is cut out of the stored crops, and how it is scaled."""

    size: int = Field(ge=SMALLEST, le=LARGEST, description="height and width of the view in pixels")
    border: Literal["neighbours", "mirror", "zeros"] = Field(
        "neighbours",
        description="what lies beyond the view: real pixels of the larger stored crop (mirrored "
        "where even those end), the view mirrored, or black",
    )
    interpolation: Literal["bilinear", "bicubic"] = Field(
        "bilinear", description="how pixels are read between pixels"
    )
    scaling: ScalingRule = Field(
        default_factory=lambda: ScalingRule.model_validate({}), description="intensity scaling"
    )


class Positives(_Block):
    """Which image the other views show: the same cell, or another one that should look alike.

    Examples
    --------
    >>> str(Positives(kind="same_treatment", another_plate=True))
    'same_treatment on another plate'
    """

    kind: Literal["same_cell", "same_well", "same_treatment"] = Field(
        description="where the second view comes from"
    )
    another_plate: bool = Field(
        False, description="only cells of other plates; goes with same_treatment"
    )
    columns: Annotated[tuple[str, ...] | None, BeforeValidator(_columns)] = Field(
        None,
        description="columns that make a treatment, with or without Metadata_; Compound and, where "
        "the data have it, Concentration when left out, else Gene and Guide",
    )
    plates: Annotated[tuple[str, ...] | None, BeforeValidator(_plates)] = Field(
        None,
        description="plates whose wells or treatments are used, all when left out; a cell of any "
        "other plate is its own second view, so that scores there are fair",
    )
    exclude_plates: Annotated[tuple[str, ...] | None, BeforeValidator(_plates)] = Field(
        None, description="plates whose wells or treatments are not used; instead of plates"
    )

    @model_validator(mode="after")
    def _treatment_only(self) -> Self:
        if self.kind != "same_treatment" and self.another_plate:
            raise ValueError(f"another_plate: goes with same_treatment only, got {self.kind}")
        if self.kind != "same_treatment" and self.columns:
            raise ValueError(f"columns: go with same_treatment only, got {self.kind}")
        for key in ("plates", "exclude_plates"):
            if self.kind == "same_cell" and getattr(self, key):
                raise ValueError(f"{key}: go with same_well and same_treatment, got {self.kind}")
        if self.plates and self.exclude_plates:
            raise ValueError("exclude_plates: plates says already which are used; keep one of them")
        return self

    @property
    def weak(self) -> bool:
        """Whether labels of the plate's layout are used (weak supervision)."""
        return self.kind != "same_cell"

    def __str__(self) -> str:
        text = f"{self.kind} on another plate" if self.another_plate else self.kind
        if self.plates:
            text += f", of plates {', '.join(self.plates)} only"
        if self.exclude_plates:
            text += f", not of plates {', '.join(self.exclude_plates)}"
        return text

    def to_plain(self) -> str | dict[str, Any]:
        """Give the bare word where nothing else is set, else keys and values."""
        plain = self.model_dump(mode="json", exclude_defaults=True)
        return plain if len(plain) > 1 else self.kind


class LabelsUsed(_Block):
    """Labels that were looked at when the protocol was made: no fair score may ask for them again.

    Written by `cellssl protocols suggest`; whoever chooses amplitudes by labels may write it too.
    """

    columns: Annotated[tuple[str, ...], BeforeValidator(_columns)] = Field(
        description="columns that were looked at, with or without Metadata_"
    )
    plates: Annotated[tuple[str, ...] | None, BeforeValidator(_plates)] = Field(
        None, description="plates whose cells' columns were looked at; all when left out"
    )


class ViewRecipe(_Block):
    """How one view is made, or several alike."""

    operations: tuple[InstanceOf[Operation], ...] = Field(description="a list of operations")
    count: int = Field(
        1, ge=1, le=MOST_VIEWS, description="how many views are made so, each drawn anew"
    )
    size: int | None = Field(
        None,
        ge=SMALLEST,
        le=LARGEST,
        description="height and width in pixels; crop.size when left out",
    )


class Protocol(_Block):
    """One experiment: what is looked at, what the encoder is made blind to, how it is trained.

    Made by `load` or `extend`, never changed afterwards; `describe` shows its operations.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> load("bbbc021-expert").channels
    ('DAPI', 'Tubulin', 'Actin')
    """

    version: Literal[2] = Field(VERSION, description="version of the file's format")
    name: str = Field(min_length=1, description="the protocol's name")
    description: str = Field("", description="one sentence: cells, stains, magnification")
    channels: Annotated[tuple[str, ...] | Literal["any"], BeforeValidator(_channels)] = Field(
        description="channel names in the order the encoder sees them, or any"
    )
    crop: Crop = Field(description="the view's size and scaling")
    positives: Positives = Field(
        default_factory=lambda: Positives.model_validate({"kind": "same_cell"}),
        description="where the second view comes from",
    )
    views: tuple[ViewRecipe, ...] = Field(
        description="one list of operations (both views alike), two, or more with count and size"
    )
    groups: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="groups of views, each with a head of its own on the one encoder: name → how "
        "its views differ from `views` (change, keep, remove, add)",
    )
    labels_used: LabelsUsed | None = Field(
        None, description="labels that amplitudes were chosen by; scores keep off them"
    )
    training: TrainingSettings = Field(
        default_factory=lambda: TrainingSettings.model_validate({}), description="how it is trained"
    )

    def __repr__(self) -> str:
        seen = "any channels" if self.channels == "any" else " + ".join(self.channels)
        done = dict.fromkeys(one.name for view in self.views for one in view.operations)
        about = f"{self.name}, {seen}, {self.crop.size} px"
        return f"Protocol({about}: {', '.join(done) or 'no operations'})"

    __str__ = __repr__

    @property
    def weak(self) -> bool:
        """Whether labels took part: for positives, or in choosing amplitudes."""
        return self.positives.weak or self.labels_used is not None

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, all defaults written out; `from_dict` reads them back equal."""
        plain = self.model_dump(
            mode="json", exclude={"views", "positives", "groups", "labels_used"}
        )
        usual = 2 if len(self.views) == 1 else 1
        views = [_plain_recipe(recipe, usual) for recipe in self.views]
        training = plain.pop("training")
        positives = self.positives.to_plain()
        more: dict[str, Any] = {"groups": copy.deepcopy(self.groups)} if self.groups else {}
        if self.labels_used is not None:
            more["labels_used"] = self.labels_used.model_dump(mode="json", exclude_none=True)
        return {**plain, "positives": positives, "views": views, **more, "training": training}


def _plain_recipe(recipe: ViewRecipe, usual: int) -> list[Any] | dict[str, Any]:
    """Give the bare list of operations where count and size are the usual ones."""
    operations = [_plain_operation(operation) for operation in recipe.operations]
    plain: dict[str, Any] = {"operations": operations}
    if recipe.count != usual:
        plain["count"] = recipe.count
    if recipe.size is not None:
        plain["size"] = recipe.size
    return plain if len(plain) > 1 else operations


def _plain_operation(operation: Operation) -> Mapping[str, Mapping[str, Any]]:
    """Give an operation as its YAML mapping."""
    values = {}
    for key in operation.rules():
        value = getattr(operation, key)
        if value is not None and not (key == "because" and not value):
            values[key] = list(value) if isinstance(value, tuple) else value
    return {operation.name: values}

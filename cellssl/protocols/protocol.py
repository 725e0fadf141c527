"""What a protocol is: one typed, frozen description of an experiment."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf

from cellssl.augment import Operation
from cellssl.training.settings import TrainingSettings

__all__ = ["Crop", "Group", "Protocol", "ScalingRule"]

Group = tuple[tuple[InstanceOf[Operation], ...], ...]  # one or two views, each a row of operations


def _channels(value: object) -> object:
    """Accept a list of distinct names, or "any"."""
    if value == "any":
        return value
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of channel names or any, got {value!r}; write [{value}]")
    if not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"expected a list of channel names, got {list(value)!r}")
    if len(set(value)) < len(value):
        raise ValueError(f"expected every channel once, got {list(value)!r}")
    return tuple(value)


def _percentiles(value: object) -> object:
    """Accept two rising numbers from 0 to 100."""
    wanted = "expected two rising percentiles [from, to] between 0 and 100"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{wanted}, got {value!r}")
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in value):
        raise ValueError(f"{wanted}, got {list(value)!r}")
    if not 0 <= value[0] < value[1] <= 100:
        raise ValueError(f"{wanted}, got {list(value)!r}")
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

    size: int = Field(ge=8, le=1024, description="height and width of the view in pixels")
    scaling: ScalingRule = Field(
        default_factory=lambda: ScalingRule.model_validate({}), description="intensity scaling"
    )


class Protocol(_Block):
    """One experiment: what is looked at, what the encoder is made blind to, how it is trained.

    Made by `load`, never changed afterwards.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> load("bbbc021-expert").channels
    ('DAPI', 'Tubulin', 'Actin')
    """

    name: str = Field(min_length=1, description="the protocol's name")
    description: str = Field("", description="one sentence: cells, stains, magnification")
    channels: Annotated[tuple[str, ...] | Literal["any"], BeforeValidator(_channels)] = Field(
        description="channel names in the order the encoder sees them, or any"
    )
    crop: Crop = Field(description="the view's size and scaling")
    positives: Literal["same_cell"] = Field(
        "same_cell", description="where the second view comes from"
    )
    views: Group = Field(description="one list of operations (both views alike) or two")
    training: TrainingSettings = Field(
        default_factory=lambda: TrainingSettings.model_validate({}), description="how it is trained"
    )

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, all defaults written out; `from_dict` reads them back equal."""
        plain = self.model_dump(mode="json", exclude={"views"})
        views = [[_plain(operation) for operation in view] for view in self.views]
        training = plain.pop("training")
        return {**plain, "views": views, "training": training}


def _plain(operation: Operation) -> dict[str, dict[str, Any]]:
    """Give an operation as its YAML mapping."""
    values = {}
    for key in operation.rules():
        value = getattr(operation, key)
        if value is not None and not (key == "because" and not value):
            values[key] = list(value) if isinstance(value, tuple) else value
    return {operation.name: values}

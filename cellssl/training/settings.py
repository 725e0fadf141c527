"""What a training run is told: typed, validated, never changed while it runs."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Settings that runs of earlier versions do not name, and what they were then.
LATER: dict[str, Any] = {"own_stages": 0}


class TrainingSettings(BaseModel):
    """The `training:` block of a protocol.

    Fields keep the names of the YAML file. The learning rate is the peak that is really used: it is
    not scaled by the batch size.

    Examples
    --------
    >>> TrainingSettings(method="simclr", encoder="resnet18", epochs=25).batch_size
    256
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str = Field(
        "simclr", description="how it learns, by its registered name; supervised is told a label"
    )
    method_options: dict[str, Any] = Field(
        default_factory=dict, description="options of that method, e.g. temperature"
    )
    encoder: str = Field("resnet18", description="network whose features are kept")
    width: float = Field(1.0, gt=0, le=4, description="factor on the network's channel counts")
    stem: Literal["imagenet", "cifar"] = Field(
        "imagenet", description="first layers: imagenet divides the size by 4, cifar keeps it"
    )
    epochs: int = Field(100, ge=1, description="passes over the cells, fixed in advance")
    batch_size: int = Field(
        256, ge=2, description="cells compared with one another, over all devices"
    )
    accumulate: int = Field(
        1, ge=1, description="batches whose gradients are averaged for one update of the weights"
    )
    samples_per_epoch: int | None = Field(
        None, ge=2, description="cells drawn anew for each epoch; all of them when left out"
    )
    divide_batch: bool = Field(
        False,
        description="where there are groups of views: each sees its part of a batch, not the whole; "
        "a step costs as much as with one group",
    )
    own_stages: int = Field(
        0,
        ge=0,
        le=4,
        description="where there are groups of views: last stages of the network, of four, that each group "
        "has for itself; their features stand side by side, and metrics.csv tells of the first group's",
    )
    optimizer: Literal["adamw", "sgd", "lars"] = Field(
        "adamw", description="adamw; sgd or lars, with momentum 0.9"
    )
    lr: float = Field(2e-3, gt=0, description="peak learning rate, as used (not scaled)")
    weight_decay: float = Field(
        1e-4, ge=0, description="decay of matrices and filters; biases and norms have none"
    )
    warmup_epochs: float | None = Field(
        None,
        ge=0,
        description="epochs of linear warm-up; a tenth of the run, at most 10, when left out",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="decides weights, order and views")
    precision: Literal["32-true", "64-true", "bf16-mixed", "16-mixed"] = Field(
        "32-true", description="number format, as Lightning Fabric names it"
    )
    compile: bool = Field(
        False, description="compile the network too: some minutes at the start, faster steps"
    )
    capture: bool = Field(
        True, description="on a GPU, replay a recorded step; the same numbers, launched at once"
    )
    checkpoint_minutes: float = Field(
        5, gt=0, description="also save within an epoch when this long has passed"
    )

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if self.warmup_epochs is not None and self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs: got {self.warmup_epochs:g}, wanted less than epochs "
                f"({self.epochs}); null (--set training.warmup_epochs=null) takes a tenth of them"
            )
        return self

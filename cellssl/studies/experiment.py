"""One experiment: a protocol trained on crops, or a baseline put over them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellssl.crops import Crops, Scaling, fit_scaling
from cellssl.datasets import CropSource
from cellssl.files import atomic, make_folder
from cellssl.protocols import (
    Protocol,
    build_encoder,
    build_method,
    build_partners,
    build_views,
    choose_channels,
    dump,
    require_fit,
    resolve,
)
from cellssl.training import CHECKPOINT, fit, seeded

__all__ = ["scaling_rule", "train"]

_log = logging.getLogger(__name__)


def train(
    protocol: Protocol | str | Path,
    crops: Crops | str | Path,
    out: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Path:
    """Train an encoder on crops as a protocol says; go on where an interrupted run stopped.

    Parameters
    ----------
    protocol
        A protocol, its name (``"bbbc021-expert"``) or its file.
    crops
        The crop file.
    out
        The run folder: ``protocol.yaml``, ``checkpoint.pt``, ``metrics.csv``, ``environment.json``.
    changes
        Values that replace the protocol's, by dotted key: ``{"training.epochs": 5}``.
    device
        ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"`` or ``"mps"``.
    progress
        Whether a progress bar is drawn.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    ProtocolError
        The protocol is wrong or asks for what the crops lack.
    TrainingError
        `out` holds a run with other settings, or training failed.
    """
    protocol = resolve(protocol, changes)
    crops = crops if isinstance(crops, Crops) else Crops.open(crops)
    for warning in require_fit(
        protocol,
        channels=crops.channels,
        stored_size=crops.size,
        masks=crops.mask_names,
        columns=list(crops.obs.columns),
    ):
        _log.warning("%s: %s", protocol.name, warning.message)
    channels = choose_channels(protocol, crops.channels)
    scaling = fit_scaling(crops, scaling_rule(protocol))
    views = build_views(protocol, channels, crops.mask_names)
    source = CropSource(crops, scaling, channels=channels, masks=views.needs_masks)
    partners = build_partners(protocol, source.obs)
    with seeded(protocol.training.seed):
        method = build_method(protocol, build_encoder(protocol, len(channels)))

    out = make_folder(out)
    if not (
        out / CHECKPOINT
    ).exists():  # else the run there is another's to describe, or this one's already
        with atomic(out / "protocol.yaml") as part:
            part.write_text(dump(protocol), encoding="utf-8")
    return fit(
        method,
        source,
        views,
        protocol.training,
        out,
        partners=partners,
        description={
            "channels": list(channels),
            "crop_size": protocol.crop.size,
            "scaling": scaling.to_dict(),
            "protocol": protocol.to_dict(),
            "protocol_name": protocol.name,
            "positives": str(protocol.positives),
            "weak": protocol.positives.weak,
        },
        device=device,
        progress=progress,
    )


def scaling_rule(protocol: Protocol) -> Scaling:
    """Give a protocol's intensity scaling as the rule that crops are scaled by."""
    rule = protocol.crop.scaling
    return Scaling(per=rule.per, percentiles=rule.percentiles, transform=rule.transform)

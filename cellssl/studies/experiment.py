"""One experiment: a protocol trained on crops."""

import hashlib
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellssl import methods
from cellssl.columns import PLATE
from cellssl.crops import Crops, FittedScaling, fit_scaling
from cellssl.datasets import CropSource
from cellssl.errors import CellsslError, ProtocolError
from cellssl.files import locked, make_folder, write_text
from cellssl.phenotypes import in_test_set, require_label, text_values
from cellssl.protocols import (
    Protocol,
    build_encoder,
    build_method,
    build_partners,
    build_views,
    choose_channels,
    dump,
    resolve,
    used_labels,
)
from cellssl.sampling import chosen_cells
from cellssl.studies.sight import scaling_rule
from cellssl.studies.suitability import require_crops
from cellssl.training import CHECKPOINT, Labels, fit, seeded

_LOG = logging.getLogger(__name__)


def train(
    crops: Crops | str | Path,
    protocol: Protocol | str | Path,
    out: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    label: str | None = None,
    where: str | np.ndarray | pd.Series | None = None,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    strategy: str = "auto",
    warn: bool = True,
    progress: bool = True,
) -> Path:
    """Train an encoder on crops as a protocol says; go on where an interrupted run stopped.

    Images that the crop file counts to a test or validation set (``Metadata_Split``) are not
    trained on.

    Parameters
    ----------
    crops
        The crop file.
    protocol
        A protocol, its name (``"bbbc021-expert"``) or its file.
    out
        The run folder: ``protocol.yaml``, ``checkpoint.pt``, ``metrics.csv``, ``environment.json``.
    changes
        Values that replace the protocol's, by dotted key: ``{"training.epochs": 5}``.
    label
        A column of classes that a linear classifier learns from the features while they are
        trained, for looking on: ``online_accuracy.csv`` and ``online_confusion.csv``. The encoder
        never hears of it, unless the method is one that is told labels (``supervised``): it needs
        one, and the run records whose labels it was told.
    where
        A boolean column of the cells, or a truth value for each (a Series goes by their names): train on these
        only.
    device
        ``"auto"`` (an accelerator where there is one), ``"cpu"``, ``"cuda"`` or ``"mps"``.
    devices, nodes, strategy
        Devices on each machine, machines, and how they share the work (``"ddp"``): the same run as
        on one device, faster.
    warn
        Whether it is said what the crops fall short of; a study says it once for all its runs.
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
    crops = Crops.open(crops)
    rows, tested = _divide(crops.obs, where)
    warnings = require_crops(protocol, crops, cells=int(rows.sum()))
    for warning in warnings if warn else ():
        _LOG.warning("%s: %s", protocol.name, warning.message)
    channels = choose_channels(protocol, crops.channels)
    scaling = fit_scaling(crops, scaling_rule(protocol))
    views = build_views(protocol, channels, crops.mask_names)
    source = CropSource(crops, scaling, rows=rows, channels=channels, masks=views.needs_masks)
    labels = None
    if label is not None:
        labels = _labels(protocol, crops, scaling, channels, rows, tested, label)
    if methods.is_labelled(protocol.training.method):
        protocol = _with_classes(protocol, labels)
    partners = build_partners(protocol, source.obs)
    with seeded(protocol.training.seed):
        method = build_method(protocol, build_encoder(protocol, len(channels)))

    out = make_folder(out)
    _write_down(protocol, out)
    return fit(
        method,
        source,
        views,
        protocol.training,
        out,
        partners=partners,
        labels=labels,
        description={"nucleus": round(crops.nucleus, 2)}
        | _describe(protocol, source, scaling, labels),
        device=device,
        devices=devices,
        nodes=nodes,
        strategy=strategy,
        progress=progress,
    )


def _write_down(protocol: Protocol, out: Path) -> None:
    """Write ``protocol.yaml`` into a run folder, unless the run there is another's, or this one's already.

    Where another process holds the folder, the run is that one's too: `fit` says so.
    """
    with suppress(CellsslError), locked(out):
        if not (out / CHECKPOINT).exists():
            write_text(dump(protocol), out / "protocol.yaml")


def _divide(
    obs: pd.DataFrame, where: str | np.ndarray | pd.Series | None
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which images are trained on, of which some must be left, and which are of a test set: (N,) bool."""
    held = in_test_set(obs)
    chosen = np.ones(len(obs), bool) if where is None else chosen_cells(obs, where)
    if not len(obs):
        raise ProtocolError("the crops hold no cells: nothing can be trained on.")
    if held.all():
        raise ProtocolError(
            f"all {len(obs)} images are of a test or validation set (Metadata_Split): nothing is left "
            "to train on. Import the training images too."
        )
    if held.any():
        _LOG.info("%d images of the test or validation set are not trained on", held.sum())
    return chosen & ~held, chosen & held


def _labels(
    protocol: Protocol,
    crops: Crops,
    scaling: FittedScaling,
    channels: tuple[str, ...],
    rows: np.ndarray,
    tested: np.ndarray,
    label: str,
) -> Labels:
    """Give the classes of the images that are trained on, and of those of a test set."""
    column = require_label(crops.obs, label)
    values = text_values(crops.obs[column], column)
    if not tested.any():
        return Labels.of(column, values[rows])
    held = CropSource(crops, scaling, rows=tested, channels=channels)
    return Labels.of(
        column, values[rows], held=held, held_values=values[tested], size=protocol.crop.size
    )


def _with_classes(protocol: Protocol, labels: Labels | None) -> Protocol:
    """Say in a protocol whose method is told labels how many classes these have."""
    method = protocol.training.method
    if labels is None:
        raise ProtocolError(
            f"protocol {protocol.name}: method {method} learns a label: name its column, with --label"
        )
    count, options = len(labels.classes), protocol.training.method_options
    if options.get("classes", count) != count:
        raise ProtocolError(
            f"protocol {protocol.name}: method_options say {options['classes']} classes, {labels.name} has "
            f"{count} among the cells: leave it out"
        )
    return resolve(protocol, {"training.method_options": {**options, "classes": count}})


def _describe(
    protocol: Protocol, source: CropSource, scaling: FittedScaling, labels: Labels | None
) -> dict[str, Any]:
    """Say in plain values what the encoder is trained on, for its checkpoint."""
    about: dict[str, Any] = {
        "label": None if labels is None else labels.name,
        "channels": list(source.channels),
        "crop_size": protocol.crop.size,
        "scaling": scaling.to_dict(),
        "protocol": protocol.to_dict(),
        "protocol_name": protocol.name,
        "positives": str(protocol.positives),
        "weak": protocol.weak,
        "labels_used": used_labels(protocol, source.obs),
    }
    if labels is not None and methods.is_labelled(protocol.training.method):
        about |= {"weak": True, **_describe_told(protocol, source.obs, labels)}
    return about


def _describe_told(protocol: Protocol, obs: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    """Say which labels the method was told: no fair score may ask for them again.

    Parameters
    ----------
    obs
        One row per image that is trained on.
    """
    used = used_labels(protocol, obs)
    told = obs[labels.codes.numpy() >= 0]
    plates = set(used["plates"])
    everywhere = used["columns"] and not plates
    if PLATE in obs.columns and not everywhere:
        plates.update(told[PLATE].astype(str))
    return {
        "labels_used": {
            "columns": list(dict.fromkeys([*used["columns"], labels.name])),
            "plates": sorted(plates),
        },
        "told": {
            "classes": list(labels.classes),
            "fingerprint": hashlib.sha256(labels.codes.numpy().tobytes()).hexdigest()[:16],
        },
    }

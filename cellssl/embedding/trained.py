"""Encoders of one's own, rebuilt from the checkpoint of their training."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from cellssl.crops import Crops, FittedScaling, compare_brightness, compare_magnification
from cellssl.embedding.baselines import baseline_names
from cellssl.embedding.extractor import Extractor, Preprocessing, check_fit
from cellssl.encoders import rebuild
from cellssl.errors import ModelError, nearest
from cellssl.files import sha256
from cellssl.state_dict import load_state
from cellssl.training import CHECKPOINT, checkpoint_file, load_checkpoint, load_head

_LOG = logging.getLogger(__name__)

NEEDED = ("channels", "crop_size", "scaling", "epoch")  # beyond what every checkpoint has


def trained(path: Path, crops: Crops, *, head: str | None = None) -> Extractor:
    """Rebuild an encoder with the channels, crop size and scaling that it was trained with.

    Parameters
    ----------
    path : Path
        A run folder or a checkpoint.
    crops : Crops
        What it will see: they must have its channels, and be large enough.
    head : str, optional
        A head of the run: the space that its loss compared views in, instead of the encoder's own.

    Raises
    ------
    ModelError
        When there is no such run or head, or the checkpoint is broken, unsafe or another network's.
    CropError
        When the crops lack a channel or are too small.
    """
    saved, file = _read(path)
    encoder = rebuild(saved["encoder"])
    load_state(encoder, saved["encoder_state"], source=str(file))
    network: nn.Module = encoder
    width, name = encoder.feature_dim, file.parent.name if file.name == CHECKPOINT else file.stem
    if head is not None:
        network = projection = load_head(saved, head, encoder, source=str(file))
        width, name = projection.feature_dim, f"{name}:{head}"
    if not saved["finished"]:
        _LOG.warning("%s: its training is not finished (epoch %d)", file, saved["epoch"])
    check_fit(crops, saved["channels"], saved["crop_size"], who=f"{file} was trained with")
    nucleus = float(saved.get("nucleus", 0))  # not known of runs before it was written down
    scaling = FittedScaling.from_dict(saved["scaling"]).for_crops(crops)
    said = [
        compare_magnification(crops, nucleus, of=f"where {file} was trained"),
        compare_brightness(crops, scaling, of="in its training"),
    ]
    return Extractor(
        name=name,
        network=network,
        features=[f"feature_{i}" for i in range(width)],
        sees=Preprocessing(
            channels=tuple(saved["channels"]),
            crop_size=int(saved["crop_size"]),
            scaling=scaling,
        ),
        provenance={
            "encoder": encoder.describe(),
            **({} if head is None else {"head": head}),
            "checkpoint_sha256": sha256(file),
            **_provenance(saved),
            **({"warnings": np.asarray([*filter(None, said)], object)} if any(said) else {}),
        },
    )


def _read(path: Path) -> tuple[dict[str, Any], Path]:
    """Read a checkpoint that knows how crops were scaled and cut; name its file."""
    if not path.exists():
        names = baseline_names()
        raise ModelError(
            f"{path} is neither a run folder or checkpoint nor a model's name"
            f"{nearest(path, names, listed=True) or '.'} Names: {', '.join(names)}."
        )
    saved, file = load_checkpoint(path), checkpoint_file(path)
    missing = [key for key in NEEDED if key not in saved]
    if missing:
        raise ModelError(
            f"{file} does not say how crops were scaled and cut: it lacks {', '.join(missing)}. "
            "Cells can be embedded by encoders that were trained on crops."
        )
    return saved, file


def _provenance(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a checkpoint says of its training."""
    positives, used = str(saved.get("positives", "same_cell")), saved.get("labels_used")
    about = {
        "protocol": str(saved.get("protocol_name", "")),
        "epochs": int(saved["epoch"]),
        "seed": int(saved["settings"]["seed"]),
        "positives": positives,
        "weak": positives != "same_cell" or bool((used or {}).get("columns")),
    }
    # A run of before they were recorded: none of its cells can be scored fairly.
    if used is None:
        return about
    arrays = {key: np.asarray(names, dtype=object) for key, names in used.items()}  # as in h5ad
    return {**about, "labels_used": arrays}

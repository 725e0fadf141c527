"""Who a run is: only the same run goes on in a folder."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cellssl.datasets import Source
from cellssl.errors import TrainingError
from cellssl.methods import Method
from cellssl.training.checkpoint import CHECKPOINT, differences, load_checkpoint
from cellssl.training.partners import Partners
from cellssl.training.settings import LATER, TrainingSettings

# They change nothing in the result, or no more than another graphics card does, or follow from the cells.
_HARMLESS = ("checkpoint_minutes", "capture", "compile", "because", "description", "nucleus")
# Not known of runs before they were written down.
_LATER = ("pixels", "partners", *LATER)
_LOOKED_AT = 64  # images that are told by their pixels, evenly over all


def identify(
    method: Method,
    source: Source,
    settings: TrainingSettings,
    description: Mapping[str, Any],
    partners: Partners | None = None,
) -> dict[str, Any]:
    """Say in plain values what a run is: only a run that is the same may go on.

    Raises
    ------
    TrainingError
        When method, settings and images do not belong together.
    """
    encoder = method.encoder.describe()
    pairs = {
        "method": (method.name, settings.method),
        "encoder": (encoder["name"], settings.encoder),
        "width": (encoder["width"], settings.width),
        "stem": (encoder["stem"], settings.stem),
        "channels": (encoder["in_channels"], len(source.channels)),
    }
    for name, (built, wanted) in pairs.items():
        if built != wanted:
            raise TrainingError(
                f"{name}: the method was built with {built!r}, the settings or images have "
                f"{wanted!r}"
            )
    samples = source.samples.cpu()
    everyone = torch.arange(len(source))
    data = {
        "cells": len(source),
        "fingerprint": _hash(samples),
        "pixels": _hash(source.read(everyone[:: len(source) // _LOOKED_AT + 1])),
        "channels": list(source.channels),
        "size": source.size,
    }
    if partners is not None:
        data["partners"] = _hash(partners.draw(everyone, samples=samples, seed=0, epoch=0))
    identity = {
        "encoder": encoder,
        "settings": settings.model_dump(mode="json"),
        "data": data,
        **description,
    }
    # As plain as a weights-only file holds it, and comparable with what is read back: no tuples, no
    # NumPy numbers.
    return json.loads(json.dumps(identity))


def _hash(tensor: Tensor) -> str:
    """Tell a tensor from others."""
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()[:16]


def previous(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Load the checkpoint of an earlier part of the same run, if there is one.

    Raises
    ------
    TrainingError
        When the folder holds another run: says in what it differs.
    """
    if not (folder / CHECKPOINT).exists():
        return None
    saved = load_checkpoint(folder)
    names = dict.fromkeys((*identity, *saved.get("described", ())))
    there = {name: saved[name] for name in names if name in saved}
    # By last name and values: a protocol repeats the settings, and is then told once.
    found: dict[str, str] = {}
    for line in differences(there, identity):
        name, values = line.split(": ", 1)
        key = name.rsplit(".", 1)[-1]
        if key not in _HARMLESS and not (key in _LATER and values.startswith("nothing there")):
            found.setdefault(f"{key} {values}", line)
    if found:
        raise TrainingError(
            f"{folder} holds another run ({'finished' if saved['finished'] else 'unfinished'}, "
            f"step {saved['step']}). {'; '.join([*found.values()][:8])}. Choose another folder with --out, "
            "delete this one, or use what it was started with. A run cannot be prolonged, since "
            "its learning rate follows from its number of epochs."
        )
    return saved

"""Cellpose behind the same interface as the threshold segmenter; imported only when used."""

import importlib
import importlib.metadata
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells.segmentation.bodies import BODIES, body_channels, body_image, number_cells
from cellssl.cells.segmentation.labels import Labels, find_nucleus_channel
from cellssl.errors import ModelError
from cellssl.files import sha256

_NAMED_3 = ("cyto", "cyto2", "cyto3", "nuclei")  # the best known, for messages
_NAMED_4 = ("cpsam",)
_WIDER = 2.0  # times as wide as its nucleus is a cell, where only the nuclei's diameter is given


@dataclass(frozen=True)
class CellposeSegmenter:
    """Nuclei by Cellpose 3 (``cyto``, ``cyto3``, ``nuclei``, …) or 4 (``cpsam``), as installed.

    The two differ: Cellpose 4 has one network for everything, takes the channels as they are and
    needs no diameter; 3.x has a class ``CellposeModel`` that is told a model type and which
    channels to look at. For nuclei, both are given the nucleus channel alone; for cells, the mean
    of the other channels (but for brightfield, where there are some) and the nucleus channel.

    Attributes
    ----------
    model : str
        A name of the installed version's own, or a local model file. "" is ``cpsam`` (4.x), or
        ``nuclei`` and for cells ``cyto3`` (3.x).
    diameter : float or None
        Of the nuclei in pixels; cells are taken to be twice as wide. None leaves it to the network:
        4.x needs none, 3.x takes what the model was trained on.
    nucleus_channel : str or None
        The channel that shows nuclei; by default the one named like a DNA stain.
    cells : bool
        Whether to find the cells too; each takes the number of the nucleus that covers most of it.
    gpu : bool
        Whether to use a GPU.
    """

    model: str = ""
    diameter: float | None = None
    nucleus_channel: str | None = None
    cells: bool = False
    gpu: bool = False

    def __post_init__(self) -> None:
        if self.diameter is not None and not self.diameter > 0:
            raise ValueError(f"diameter: got {self.diameter}, wanted more than 0 pixels")

    @property
    def name(self) -> str:
        """``cellpose``."""
        return "cellpose"

    def settings(self) -> dict[str, Any]:
        """Give what the result depends on; a local model goes by its fingerprint."""
        models = self._models()
        return {
            "version": importlib.metadata.version("cellpose"),
            "models": list(models),
            "models_sha256": [_fingerprint(model) for model in models if _is_file(model)],
            "diameter": self.diameter,
            "nucleus_channel": self.nucleus_channel,
            "cells": self.cells,
            **({"bodies": BODIES} if self.cells else {}),
        }

    def check(self, channels: Sequence[str]) -> None:
        """Make sure that Cellpose, its models and the channels are there.

        A model of Cellpose's own is downloaded now if it is not on this machine yet.

        Raises
        ------
        PlateError
            When no channel shows nuclei.
        ModelError
            Without Cellpose, for a model that its version does not know, without a network for the
            download, or when cells are wanted of nuclei alone.
        """
        find_nucleus_channel(channels, self.nucleus_channel)
        if self.cells and len(channels) < 2:
            raise ModelError(f"cells need a channel beside the nuclei's; got {', '.join(channels)}")
        if self.cells and self.model == "nuclei":
            raise ModelError(
                "Cellpose's model 'nuclei' finds no cells: take cyto3, or a local file"
            )
        for model in self._models():
            _fetch(model, _major())

    def segment(self, field: np.ndarray, channels: Sequence[str]) -> Labels:
        """Find the nuclei of a field (C, Y, X), and the cells if wanted."""
        number = find_nucleus_channel(channels, self.nucleus_channel)
        image = field[number].astype(np.float32)
        nuclei_model, *cell_models = self._models()
        nuclei = self._run(nuclei_model, image, self.diameter)
        if not cell_models:
            return Labels(nuclei)
        # The networks know brightfield too, where nothing else shows the cells.
        shown = body_channels(channels, number)
        bodies = body_image(field[shown] if shown else np.delete(field, number, axis=0))
        diameter = None if self.diameter is None else _WIDER * self.diameter
        cells = self._run(cell_models[0], np.stack([bodies, image], axis=-1), diameter)
        return Labels(nuclei, number_cells(nuclei, cells))

    def _models(self) -> tuple[str, ...]:
        """Name the model for nuclei, and that for cells if they are wanted."""
        major = _major()
        nuclei, cells = ("nuclei", "cyto3") if major < 4 else ("cpsam", "cpsam")
        wanted = (self.model or nuclei, self.model or cells)[: 2 if self.cells else 1]
        return tuple(_known(model, major) for model in wanted)

    def _run(self, model: str, image: np.ndarray, diameter: float | None) -> np.ndarray:
        """Run a network over (Y, X), or over (Y, X, 2) with cells and nuclei."""
        major = _major()
        arguments: dict[str, Any] = {} if image.ndim == 2 else {"channel_axis": -1}
        if major < 4:  # is told what to look at: [grey, none], or [first, second]; 4.x warns of it
            arguments["channels"] = [0, 0] if image.ndim == 2 else [1, 2]
        masks = _load(model, major, self.gpu).eval(image, diameter=diameter, **arguments)[0]
        return np.asarray(masks, dtype=np.int32).reshape(image.shape[:2])


def _major() -> int:
    """Give the installed Cellpose's major version."""
    try:
        return int(importlib.metadata.version("cellpose").split(".")[0])
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(
            "Cellpose is not installed: `pip install 'cellssl[cellpose]'`, or use "
            "--segmenter threshold"
        ) from error


def _is_file(model: str) -> bool:
    return Path(model).is_file()


def _fingerprint(model: str) -> str:
    """Hash a model file; once, as long as it does not change."""
    status = Path(model).stat()
    return _hashed(model, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _hashed(path: str, _size: int, _changed: int) -> str:
    return sha256(path)


def _package() -> Any:
    return importlib.import_module("cellpose.models")


def _known(model: str, major: int) -> str:
    """Check that the installed version knows the model."""
    if _is_file(model) or model in _package().MODEL_NAMES:
        return model
    other = _NAMED_3 if major >= 4 else _NAMED_4
    own = ", ".join(_NAMED_3 if major < 4 else _package().MODEL_NAMES)
    if model in other:
        wanted = "'cellpose<4'" if model in _NAMED_3 else "'cellpose>=4'"
        raise ModelError(
            f"Cellpose {major} does not know the model {model!r} (it has {own}); install {wanted} "
            "for it"
        )
    raise ModelError(f"no Cellpose model {model!r}: wanted one of {own}, or a local file")


def _fetch(model: str, major: int) -> str:
    """Give the path of a model's file; Cellpose downloads its own on first use.

    Raises
    ------
    ModelError
        When it is not at hand and cannot be downloaded.
    """
    if _is_file(model):
        return model
    package = _package()
    try:
        return str((package.model_path if major < 4 else package.cache_model_path)(model))
    except (OSError, RuntimeError) as error:
        file = f"{model}torch_0" if major < 4 and model in ("cyto", "cyto2", "nuclei") else model
        raise ModelError(
            f"Cellpose's model {model!r} is not on this machine and could not be downloaded "
            f"({error}). Without a network, copy its file ({file}) from a machine that has one into "
            f"{package.MODEL_DIR} (or the folder that CELLPOSE_LOCAL_MODELS_PATH names), or give the "
            "path of a local file as the model"
        ) from error


@lru_cache(maxsize=2)
def _load(model: str, major: int, gpu: bool) -> Any:
    """Load a network once a process.

    Raises
    ------
    ModelError
        When its file is not at hand, or is no model of the installed version.
    """
    path = _fetch(model, major)
    named = {"model_type": model} if major < 4 and path != model else {"pretrained_model": path}
    try:
        return _package().CellposeModel(gpu=gpu, **named)
    except (OSError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path} could not be loaded as a model of Cellpose {major} ({error}); models of 3.x "
            "and 4.x are different networks"
        ) from error

"""Cellpose behind the same interface as the threshold segmenter; imported only when used."""

import importlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells.labels import Labels, find_nucleus_channel
from cellssl.errors import ModelError
from cellssl.files import sha256

__all__ = ["CellposeSegmenter"]

_OWN_3 = ("cyto", "cyto2", "cyto3", "nuclei")
_OWN_4 = ("cpsam",)


@dataclass(frozen=True)
class CellposeSegmenter:
    """Nuclei by Cellpose 3 (``cyto``, ``cyto3``, ``nuclei``, …) or 4 (``cpsam``), as installed.

    The two differ: Cellpose 4 has one network for everything, takes the channels as they are and
    needs no diameter; 3.x has a class ``CellposeModel`` that is told a model type and which
    channels to look at. Both are given the nucleus channel alone.

    Attributes
    ----------
    model : str
        A name of the installed version's own, or a local model file. "" is ``cpsam`` (4.x) or
        ``nuclei`` (3.x).
    diameter : float or None
        Of the nuclei in pixels. None leaves it to the network: 4.x needs none, 3.x takes what the
        model was trained on.
    nucleus_channel : str or None
        The channel that shows nuclei; by default the one named like a DNA stain.
    gpu : bool
        Whether to use a GPU.
    """

    model: str = ""
    diameter: float | None = None
    nucleus_channel: str | None = None
    gpu: bool = False

    @property
    def name(self) -> str:
        """``cellpose``."""
        return "cellpose"

    def settings(self) -> dict[str, Any]:
        """Give what the result depends on; a local model goes by its fingerprint."""
        major = _version()
        return {
            "version": importlib.metadata.version("cellpose"),
            "model": _model_name(self.model, major),
            "model_sha256": sha256(self.model) if _is_file(self.model) else None,
            "diameter": self.diameter,
            "nucleus_channel": self.nucleus_channel,
        }

    def check(self, channels: Sequence[str]) -> None:
        """Make sure that Cellpose, the model and the channel are there.

        Raises
        ------
        ModelError
            Without Cellpose, or for a model that its version does not know.
        """
        find_nucleus_channel(channels, self.nucleus_channel)
        _model_name(self.model, _version())

    def segment(self, field: np.ndarray, channels: Sequence[str]) -> Labels:
        """Find the nuclei of a field (C, Y, X)."""
        image = field[find_nucleus_channel(channels, self.nucleus_channel)].astype(np.float32)
        major = _version()
        network = _load(_model_name(self.model, major), major, self.gpu)
        # 3.x looks at the channels [grey, none]; 4.x warns of the argument and does without.
        arguments: dict[str, Any] = {"channels": [0, 0]} if major < 4 else {}
        masks = network.eval(image, diameter=self.diameter, **arguments)[0]
        return Labels(nuclei=np.asarray(masks, dtype=np.int32))


def _version() -> int:
    """Give the installed Cellpose's major version."""
    try:
        return int(importlib.metadata.version("cellpose").split(".")[0])
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(
            "Cellpose is not installed: `pip install 'cellssl[cellpose]'`, or use "
            "--segmenter threshold"
        ) from error


def _is_file(model: str) -> bool:
    return bool(model) and Path(model).is_file()


def _model_name(model: str, major: int) -> str:
    """Choose the installed version's default, or check that it knows the model."""
    own = _OWN_3 if major < 4 else _OWN_4
    if not model:
        return "nuclei" if major < 4 else "cpsam"
    if model in own or _is_file(model):
        return model
    if model in (*_OWN_3, *_OWN_4):
        other = "'cellpose<4'" if model in _OWN_3 else "'cellpose>=4'"
        raise ModelError(
            f"Cellpose {major} does not know the model {model!r} (it has {', '.join(own)}); "
            f"install {other} for it"
        )
    raise ModelError(
        f"no Cellpose model {model!r}: wanted one of {', '.join(own)}, or a local file"
    )


@lru_cache(maxsize=1)
def _load(model: str, major: int, gpu: bool) -> Any:
    """Load a network once a process.

    Raises
    ------
    ModelError
        When its file is not at hand and cannot be downloaded.
    """
    models = importlib.import_module("cellpose.models")
    by_type = major < 4 and not _is_file(model)
    chosen = {"model_type": model} if by_type else {"pretrained_model": model}
    try:
        return models.CellposeModel(gpu=gpu, **chosen)
    except (OSError, RuntimeError, ValueError, FileNotFoundError) as error:
        raise ModelError(
            f"Cellpose's model {model!r} could not be loaded ({error}). Cellpose downloads its "
            "models on first use; without a network, copy the file to this machine and give its "
            "path as the model"
        ) from error

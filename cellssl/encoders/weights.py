"""Weight files: read without running anything in them, loaded key by key or not at all."""

import logging
import pickle
import socket
import sys
import warnings
import zipfile
from http.client import HTTPException
from pathlib import Path

import torch
import torchvision
from torch import Tensor

from cellssl.errors import ModelError, first_line

_LOG = logging.getLogger(__name__)

# Layers after the features: present in published files, absent in our encoders.
CLASSIFIERS = ("fc.", "classifier.")
SECONDS_TO_ANSWER = 30.0


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict (parameter name → tensor) in float32, without its classifier.

    Parameters
    ----------
    path : path
        What ``torch.save(model.state_dict(), path)`` wrote, in any precision.

    Raises
    ------
    ModelError
        When the file is missing, broken, a pickle of more than tensors, or no state dict.
    """
    path = Path(path)
    content = _load(path)
    if isinstance(content, dict) and "encoder_state" in content:
        raise ModelError(
            f"{path} is a checkpoint of cellssl's own training: give it as --model {path}."
        )
    if not (
        isinstance(content, dict)
        and content
        and all(isinstance(key, str) and isinstance(t, Tensor) for key, t in content.items())
    ):
        raise ModelError(
            f"{path} holds {type(content).__name__}, not a state dict of tensors by name. "
            + _how_to_save(content)
        )
    return {
        key: tensor.float() if tensor.is_floating_point() else tensor
        for key, tensor in content.items()
        if not key.startswith(CLASSIFIERS)
    }


def _how_to_save(content: object) -> str:
    """Tell a checkpoint, in which the state dict is one of several things, from what is none."""
    entries = content.items() if isinstance(content, dict) else ()
    for key, value in entries:
        if isinstance(value, dict) and any(isinstance(one, Tensor) for one in value.values()):
            return (
                f"Its entry {key!r} may be one: save it by itself, torch.save(torch.load(file, "
                f"weights_only=True)[{key!r}], new_file)."
            )
    return "Save one with torch.save(model.state_dict(), file)."


def _load(path: Path) -> object:
    """Let torch read a file's tensors; refuse to unpickle anything else."""
    if not path.is_file():
        raise ModelError(f"no weights file at {path}.")
    try:
        with warnings.catch_warnings():
            # What torch says of a strange pickle's protocol, our error says better.
            warnings.simplefilter("ignore", UserWarning)
            # Files of torch < 1.6 are no zip archives and cannot be memory-mapped.
            mmap = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than tensors (a pickle), or is no file of torch at all. It was not "
            "loaded: unpickling would run whatever code is in it. "
            "Wanted: torch.save(model.state_dict(), file)."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError) as error:
        raise ModelError(
            f"{path} cannot be read as weights ({first_line(error)}). "
            "It may be cut short: copy or download it again."
        ) from error


def weights_at_hand(name: str) -> Path | None:
    """Find torchvision's ImageNet weights of a network on this machine, without any download.

    Returns
    -------
    Path or None
        The file in torchvision's own cache (``torch.hub.get_dir()``), when it is there.

    Raises
    ------
    ModelError
        When torchvision publishes no weights of that name.
    """
    file = _cached(_address(name))
    return file if file.is_file() else None


def published_weights(name: str) -> Path:
    """Find torchvision's ImageNet weights of a network, or download them.

    They are kept where torchvision keeps them, and checked by the hash in their name. Of two
    published sets the first is taken (IMAGENET1K_V1): the one that the field compares with.

    Raises
    ------
    ModelError
        When torchvision publishes none, or they cannot be had: says which file to fetch elsewhere.
    """
    url = _address(name)
    file = _cached(url)
    if file.is_file():
        return file
    _LOG.info("downloading %s to %s", url, file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _download(url, file)
    except (OSError, RuntimeError, HTTPException) as error:
        raise ModelError(
            f"the ImageNet weights of {name} are not on this machine and could not be downloaded "
            f"({error}). Fetch {file.name} where there is a network ({url}, or "
            f"`cellssl data get imagenet-resnets --part {name} -o weights`), "
            f"then put it at {file}, or pass it with --weights FILE "
            f"(`cellssl run` and `compare`: --baseline {name}=FILE)."
        ) from error
    return file


def _address(name: str) -> str:
    """Ask torchvision where it publishes a network's first ImageNet weights."""
    if name not in torchvision.models.list_models():
        raise ModelError(
            f"torchvision publishes no weights for {name}: pass a file of them (--weights FILE)."
        )
    return torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].url


def _cached(url: str) -> Path:
    """Say where torchvision keeps what it downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]


def _download(url: str, file: Path) -> None:
    """Fetch a file whole or not at all; its name ends in the first digits of its hash."""
    digits = file.stem.rsplit("-", 1)[1]
    before = socket.getdefaulttimeout()
    # torch.hub sets no limit, and would wait minutes behind a firewall.
    socket.setdefaulttimeout(SECONDS_TO_ANSWER)
    try:
        torch.hub.download_url_to_file(
            url, str(file), hash_prefix=digits, progress=sys.stderr.isatty()
        )
    finally:
        socket.setdefaulttimeout(before)

"""Checkpoints: one dictionary in one file, written whole, read without unpickling anything."""

import io
import pickle
import textwrap
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from cellssl.errors import ModelError, first_line
from cellssl.files import atomic

CHECKPOINT = "checkpoint.pt"
_REQUIRED = ("cellssl", "encoder", "encoder_state", "settings", "step", "finished")


def save_checkpoint(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint; the one that is there stays until the new one is complete on disk.

    Raises
    ------
    OSError
        When the disk is full or the folder gone; the old checkpoint is then untouched.
    """
    # Serialised in memory first: torch's own file writer aborts the process on a full disk.
    buffer = io.BytesIO()
    torch.save(dict(checkpoint), buffer)
    with atomic(path) as part, buffer.getbuffer() as whole, part.open("wb") as file:
        file.write(whole)


def checkpoint_file(path: str | Path) -> Path:
    """Find the checkpoint of a run folder; a file stands for itself.

    Raises
    ------
    ModelError
        When there is none.
    """
    path = Path(path)
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.is_file():
        raise ModelError(
            f"no checkpoint at {path}; give a run folder of `cellssl train` or its {CHECKPOINT}"
        )
    return path


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the checkpoint of a run folder, or a checkpoint file.

    Only tensors and plain Python values are read (``weights_only=True``): a file from elsewhere
    cannot run code.

    Returns
    -------
    dict
        "cellssl" (version), "encoder" (name, in_channels, width, stem, feature_dim),
        "encoder_state", "method_state", "optimizer_state", "epoch", "step", "finished", "settings",
        "data", and what `fit` was given as `description`.

    Raises
    ------
    ModelError
        When it is missing, truncated, holds pickled objects, or was not made by cellssl.

    Examples
    --------
    >>> checkpoint = load_checkpoint("runs/expert")  # doctest: +SKIP
    >>> encoder = encoders.rebuild(checkpoint["encoder"])  # doctest: +SKIP
    >>> load_state(encoder, checkpoint["encoder_state"], source="it")  # doctest: +SKIP
    """
    path = checkpoint_file(path)
    if not zipfile.is_zipfile(path):
        raise ModelError(_why_no_archive(path))
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds pickled Python objects, which could run code when loaded, so it was not "
            f"loaded; wanted a checkpoint written by `cellssl train` ({_first_sentence(error)})"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} cannot be read ({_first_sentence(error)}); it is damaged, or no checkpoint. Copy "
            "it anew, or train again into a new folder."
        ) from error
    held = checkpoint if isinstance(checkpoint, dict) else {}
    missing = [key for key in _REQUIRED if key not in held]
    if missing:
        raise ModelError(
            f"{path} is a torch file but no checkpoint of cellssl: it lacks "
            f"{', '.join(missing)}. To use published weights, give the network's name "
            "with --model and the file with --weights."
        )
    return checkpoint


def differences(there: Any, now: Any, *, name: str = "") -> Iterator[str]:
    """List where two nested plain values differ, as "settings.lr: 0.1 there, 0.2 now".

    Examples
    --------
    >>> list(differences({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}}))
    ['a.b: 1 there, 2 now', 'a.c: nothing there, 3 now']
    """
    if isinstance(there, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*there, *now)):
            inner = f"{name}.{key}" if name else str(key)
            if key not in now:
                yield f"{inner}: {_brief(there[key])} there, nothing now"
            elif key not in there:
                yield f"{inner}: nothing there, {_brief(now[key])} now"
            else:
                yield from differences(there[key], now[key], name=inner)
    elif isinstance(there, list) and isinstance(now, list) and len(there) == len(now):
        for place, (before, after) in enumerate(zip(there, now, strict=True)):
            yield from differences(before, after, name=f"{name}.{place}")
    elif there != now:
        yield f"{name}: {_brief(there)} there, {_brief(now)} now"


def _brief(value: Any) -> str:
    """Show a value, shortened where it is a long list or mapping."""
    return textwrap.shorten(repr(value), 80, placeholder=" …")


def _why_no_archive(path: Path) -> str:
    """Tell a truncated checkpoint from a file that never was one."""
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK" or not start:
        return (
            f"{path} is truncated ({path.stat().st_size} bytes): copy it anew, or train again into "
            "a new folder"
        )
    kind = (
        "a bare pickle, which could run code when loaded" if start[:1] == b"\x80" else "no archive"
    )
    return f"{path} is not a checkpoint of cellssl ({kind}), so it was not loaded"


def _first_sentence(error: Exception) -> str:
    """Give the first sentence of another library's message."""
    return first_line(error).split(". ")[0]

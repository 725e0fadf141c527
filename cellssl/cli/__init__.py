"""The command line: thin commands over the public functions."""

import atexit
import codecs
import gc
import io
import os
import sys
from typing import Any

__all__ = ["main"]

_PLAIN = {"−": "-", "–": "-", "×": "x"}  # as wide as they are; all else becomes ?


def main() -> None:
    """Run ``cellssl``."""
    codecs.register_error("plain", _plainly)
    # A terminal of another alphabet has no −, nor has a file in Windows.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")
    # As Python ends it looks through all objects for garbage: seconds of those of Torch, Numba and figures, in which a
    # command that was stopped seemed to go on.
    atexit.register(gc.freeze)
    # No file of cellssl is written while it is read, and network disks often cannot lock.
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    try:
        from cellssl.cli.application import app
    except KeyboardInterrupt:  # nothing has begun that could go on
        raise SystemExit(130) from None
    app()


def _plainly(error: Any) -> tuple[str, int]:
    """Write what an alphabet lacks by what it has: numbers keep their signs."""
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in lacking), error.end

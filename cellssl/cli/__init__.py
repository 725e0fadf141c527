"""The command line: thin commands over the public functions."""

import atexit
import gc
import io
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run ``cellssl``."""
    for stream in (sys.stdout, sys.stderr):  # a terminal of another alphabet shows ? for ± and …
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
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

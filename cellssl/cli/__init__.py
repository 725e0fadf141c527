"""The command line: thin commands over the public functions."""

import io
import sys

__all__ = ["main"]


def main() -> None:
    """Run ``cellssl``."""
    from cellssl.cli.application import app

    for stream in (sys.stdout, sys.stderr):  # a terminal of another alphabet shows ? for ± and …
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()

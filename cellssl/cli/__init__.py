"""The command line: thin commands over the public functions."""

__all__ = ["main"]


def main() -> None:
    """Run ``cellssl``."""
    try:
        from cellssl.cli.application import app
    except KeyboardInterrupt:  # nothing has begun that could go on
        raise SystemExit(130) from None
    app()

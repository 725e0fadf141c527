"""The command line: thin commands over the public functions."""

__all__ = ["main"]


def main() -> None:
    """Run ``cellssl``."""
    from cellssl.cli.application import app

    app()

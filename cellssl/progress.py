"""One progress bar for everything that takes long, on standard error, silent where nobody looks."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["bar", "console", "track"]

Item = TypeVar("Item")

# The one console for bars and messages: Rich then prints messages above a bar instead of through it.
console = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def bar(*, shown: bool = True) -> Iterator[Progress]:
    """Open a Rich progress display; add tasks to it with ``add_task`` and move them with ``update``.

    A task's field ``note`` (any short text, e.g. a loss or a rate) is shown at its end.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(
        *columns, console=console, disable=not (shown and console.is_terminal)
    ) as progress:
        yield progress


def track(
    items: Iterable[Item], description: str, *, total: int | None = None, shown: bool = True
) -> Iterator[Item]:
    """Yield `items` while a bar shows how many are done and how long the rest will take."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(shown=shown) as progress:
        task = progress.add_task(description, total=total, note="")
        for item in items:
            yield item
            progress.advance(task)

"""One progress bar for everything that takes long, silent where nobody looks."""

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")

# The one console for bars and messages: Rich then prints messages above a bar instead of through it.
console = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def bar(*, shown: bool = True) -> Iterator[Progress]:
    """Open a Rich progress display on standard error, or in the cell of a notebook; add tasks to it with ``add_task``.

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
    if shown and console.is_jupyter:
        display: Progress = _InNotebook(*columns)
    else:
        display = Progress(*columns, console=console, disable=not (shown and console.is_terminal))
    with display as progress:
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


class _InNotebook(Progress):
    """Text in the cell's output, drawn anew in place as tasks move.

    Rich's own display for Jupyter needs ipywidgets, and swallows what is printed while its thread draws.
    """

    WAIT = 1.0  # seconds before it appears: what is done sooner leaves nothing behind
    EVERY = 0.25

    def __init__(self, *columns: Any) -> None:
        super().__init__(*columns, disable=True)
        self._due = time.monotonic() + self.WAIT
        self._output: Any = None

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        self._draw()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._draw()

    def stop(self) -> None:
        self._draw(last=True)

    def _draw(self, *, last: bool = False) -> None:
        if time.monotonic() < self._due and not (last and self._output):
            return
        self._due = time.monotonic() + self.EVERY
        page = Console(width=110, color_system=None, force_jupyter=False)
        with page.capture() as drawn:
            page.print(self.get_renderable())
        text = {"text/plain": drawn.get().rstrip()}
        if self._output:
            self._output.update(text, raw=True)
        else:
            from IPython.display import display

            self._output = display(text, raw=True, display_id=True)

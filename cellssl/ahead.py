"""The next item made while one is used."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
_END: Any = object()


@contextmanager
def one_ahead(items: Generator[Item]) -> Iterator[Iterator[Item]]:
    """Give the items of a generator, of which a thread makes the next one meanwhile.

    It is closed with the block, whatever happens there. What it raises is raised where the item would
    have been given.

    Examples
    --------
    >>> with one_ahead(number**2 for number in range(3)) as squares:
    ...     list(squares)
    [0, 1, 4]
    """
    with closing(items), ThreadPoolExecutor(1, "ahead") as thread:
        yield _given(items, thread)


def _given(items: Iterator[Item], thread: ThreadPoolExecutor) -> Iterator[Item]:
    coming = thread.submit(next, items, _END)
    while (item := coming.result()) is not _END:
        coming = thread.submit(next, items, _END)
        yield item

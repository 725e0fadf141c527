"""A generator's next item is made while one is used; it is closed whatever happens."""

import threading
from collections.abc import Generator

import pytest

from cellssl.ahead import one_ahead


def test_the_next_item_is_made_while_one_is_used() -> None:
    second = threading.Event()

    def items() -> Generator[int]:
        yield 1
        second.set()
        yield 2

    with one_ahead(items()) as numbers:
        assert next(numbers) == 1
        assert second.wait(10)
        assert list(numbers) == [2]


def test_an_error_comes_where_its_item_would_have() -> None:
    def items() -> Generator[int]:
        yield 1
        raise OSError("disk")

    with one_ahead(items()) as numbers:
        assert next(numbers) == 1
        with pytest.raises(OSError, match="disk"):
            next(numbers)


def test_what_is_left_early_is_closed() -> None:
    closed = []

    def items() -> Generator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    def stop() -> None:
        with one_ahead(items()) as numbers:
            next(numbers)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop()
    assert closed == [True]

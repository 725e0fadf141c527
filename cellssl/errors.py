"""The errors a user can mend: each says what was got, what was wanted and what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from signal import SIGTERM


class CellsslError(Exception):
    """Base of every error that a user's input can cause; the command line prints it without traceback."""


class PlateError(CellsslError, ValueError):
    """A plate's folder, pattern, metadata or one of its images is not what it should be."""


class CropError(CellsslError, ValueError):
    """A crop file cannot be written, read, or does not hold what is asked of it."""


class DataError(CellsslError, ValueError):
    """A manifest is wrong, or data cannot be fetched, unpacked or verified."""


class ProtocolError(CellsslError, ValueError):
    """A protocol file is wrong, or does not fit the data."""


class ModelError(CellsslError, ValueError):
    """An encoder, its weights or a checkpoint is missing, foreign or unsafe."""


class TrainingError(CellsslError, RuntimeError):
    """Training cannot start or cannot go on."""


class StoppedError(TrainingError):
    """Training was asked to stop by the signal of a `number`, and saved; the same command goes on."""

    def __init__(self, message: str, number: int = SIGTERM) -> None:
        super().__init__(message)
        self.number = number


class EmbeddingError(CellsslError, ValueError):
    """An embedding lacks what a score or a figure needs."""


class StudyError(CellsslError, ValueError):
    """A study asks for something that cannot be done, or its results are not to be had."""


def first_line(error: BaseException) -> str:
    """Give the first line of what another library says, or the error's kind where it says nothing.

    Examples
    --------
    >>> first_line(OSError("truncated header")), first_line(EOFError())
    ('truncated header', 'EOFError')
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def nearest(word: object, words: Iterable[object], *, listed: bool = False) -> str:
    """End a message about an unknown word: with the valid one that was probably meant, or with all.

    Case does not count, nor does the ``Metadata_`` in front of a column's name.

    Parameters
    ----------
    word : object
        What was got.
    words : iterable
        What could have been given.
    listed : bool
        The message names them all itself: where none is near, nothing is added.

    Examples
    --------
    >>> nearest("rotat", ["rotate", "zoom"]), nearest("blur", ["rotate", "zoom"])
    ("; did you mean 'rotate'?", '; there are rotate, zoom')
    >>> nearest("blur", ["rotate, size", "zoom"])
    "; there are 'rotate, size', 'zoom'"
    """
    there = [str(one) for one in words]
    close = likely(word, there)
    if close:
        return f"; did you mean {close!r}?"
    return f"; there are {', '.join(quoted(there))}" if there and not listed else ""


def likely(word: object, words: Iterable[object]) -> str:
    """Give the valid word that was probably meant by an unknown one; "" where none is near."""
    plain = {_plain(str(one)): str(one) for one in words}
    close = get_close_matches(_plain(str(word)), plain, n=1)
    return plain[close[0]] if close else ""


def _plain(word: str) -> str:
    """Leave out what two spellings of one name may differ in."""
    return word.removeprefix("Metadata_").lower()


def quoted(names: Sequence[str]) -> list[str]:
    """Quote names where one of them holds a comma: else a list of them would not say where each ends.

    Examples
    --------
    >>> quoted(["expert", "geometry"]), quoted(["zoom, rotate", "zoom"])
    (['expert', 'geometry'], ["'zoom, rotate'", "'zoom'"])
    """
    return [repr(name) for name in names] if any("," in name for name in names) else [*names]

"""The errors a user can mend: each says what was got, what was wanted and what to do."""

__all__ = [
    "CellsslError",
    "CropError",
    "DataError",
    "EmbeddingError",
    "ModelError",
    "PlateError",
    "ProtocolError",
    "StoppedError",
    "StudyError",
    "TrainingError",
]


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
    """Training was asked to stop, and saved; the same command goes on."""


class EmbeddingError(CellsslError, ValueError):
    """An embedding lacks what a score or a figure needs."""


class StudyError(CellsslError, ValueError):
    """A study asks for something that cannot be done, or its results are not to be had."""

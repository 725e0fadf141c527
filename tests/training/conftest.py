"""The tiny run, for tests in this process and for subprocesses."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """Give tests/training/tiny_run.py as a module; `tiny.__file__` runs as a program."""
    path = Path(__file__).with_name("tiny_run.py")
    specification = importlib.util.spec_from_file_location("tiny_run", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module

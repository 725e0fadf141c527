"""What `import cellssl` alone gives: functions and rooms, loaded at first use."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import cellssl


def test_rooms_are_reached_without_an_import_of_their_own() -> None:
    code = (
        "import cellssl, sys; rooms = {'plates', 'report', 'phenotypes'}; "
        "assert rooms < set(dir(cellssl)); "
        "assert not any(f'cellssl.{room}' in sys.modules for room in rooms); "
        "print(cellssl.plates.PlateIndex.__name__, hasattr(cellssl, 'plate'))"
    )
    root = Path(__file__).parents[1]
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["PlateIndex", "False"]


def test_every_room_is_named() -> None:
    folder = Path(cellssl.__file__).parent
    packages = {path.parent.name for path in folder.glob("*/__init__.py")} - {"cli"}
    assert packages < set(cellssl.__all__)


@pytest.mark.parametrize("package", ["", ".cells", ".crops", ".datasets", ".plates"])
def test_every_name_that_a_stub_tells_editors_is_there(package: str) -> None:
    module = importlib.import_module(f"cellssl{package}")
    assert all(hasattr(module, name) for name in module.__all__)

"""What `import cellssl` alone gives: functions and rooms, loaded at first use."""

import subprocess
import sys
from pathlib import Path


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
    import cellssl

    folder = Path(cellssl.__file__).parent
    packages = {path.parent.name for path in folder.glob("*/__init__.py")} - {"cli"}
    assert packages == set(cellssl._rooms)

"""Where a bar is shown: in a terminal and in a notebook."""

import sys
from types import ModuleType

import pytest

from cellssl import progress


class Output:
    """What `IPython.display.display` gives."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.texts.append(data["text/plain"])


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[Output]:
    """The outputs of a notebook's cell, as far as they are bars."""
    made: list[Output] = []

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Output:
        made.append(Output())
        made[-1].update(data, raw=raw)
        return made[-1]

    module = ModuleType("IPython.display")
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(progress.console, "is_jupyter", True)
    monkeypatch.setattr(progress._InNotebook, "EVERY", 0.0)
    return made


def test_a_notebook_shows_one_bar_that_moves(
    outputs: list[Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress._InNotebook, "WAIT", 0.0)
    assert list(progress.track("abc", "scoring")) == ["a", "b", "c"]
    (output,) = outputs
    assert [text.split()[0] for text in output.texts] == ["scoring"] * 4
    assert "3/3" in output.texts[-1]


@pytest.mark.parametrize("shown", [True, False])
def test_what_is_done_at_once_or_not_asked_for_leaves_nothing_in_a_notebook(
    outputs: list[Output], shown: bool
) -> None:
    assert list(progress.track(range(3), "scoring", shown=shown)) == [0, 1, 2]
    assert not outputs

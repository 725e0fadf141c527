import io

import pytest
from rich.console import Console

from cellssl.cli import shell
from cellssl.cli.tables import fitted_tables

SCORES = [
    ["embedding", "bbbc021-microtubules", "simple-features [x]"],
    ["AMI, k-means", "0.303 (0.273–0.336)", "0.118 (0.093–0.144)"],
    ["kNN", "0.641 (0.614–0.666)", "0.713 (0.670–0.753)"],
    ["linear", "0.683 (0.656–0.709)", "0.802 (0.756–0.840)"],
]


def _printed(columns, room):
    page = Console(file=io.StringIO(), width=room, highlight=False)
    for table in fitted_tables(columns, room):
        page.print(table)
    return page.file.getvalue()


@pytest.mark.parametrize(("room", "tables"), [(120, 1), (68, 1), (60, 2), (36, 3)])
def test_words_stay_whole_and_what_has_no_room_follows_below(room, tables):
    text = _printed(SCORES, room)
    assert max(map(len, text.splitlines())) <= room
    assert text.count("embedding") == text.count("bbbc021-microtubules") == tables
    for column in SCORES:
        for word in " ".join(column).split():
            assert word in text


def test_a_word_wider_than_the_screen_is_broken_and_not_lost():
    text = _printed([["name", "a" * 50], ["value", "1"]], 30)
    assert text.count("a") - text.count("name") - text.count("value") == 50
    assert max(map(len, text.splitlines())) <= 30


def test_a_table_without_rows_has_its_heads():
    assert "name  value" in _printed([["name"], ["value"]], 30)


def test_a_title_is_broken_by_the_screen_alone(monkeypatch, capsys):
    monkeypatch.setattr(shell, "shown", lambda: True)
    title = "Nearest treatment of the same mechanism, another compound (NSC) and batch (NSCB)"
    shell.show_table(title, ["name", "value"], [["a", 1]])
    assert capsys.readouterr().out.startswith(f"{title}\n\nname  value\n")

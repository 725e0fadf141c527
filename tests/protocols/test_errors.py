"""Wrong protocol files: each mistake on its line, in words that say how to mend it."""

# ruff: noqa: E501  (a table reads best with a case a line)

from pathlib import Path

import pytest

from cellssl.errors import CellsslError, ProtocolError
from cellssl.protocols import from_dict, load, loads

RIGHT = """\
name: mine
description: cells
channels: [DAPI, Actin]
crop: {size: 64, scaling: {per: plate, percentiles: [1, 99.9], transform: sqrt}}
positives: same_cell
views:
  - - rotate: {degrees: 180, because: no up}
    - stain_gain: {amplitude: 0.1, channels: [Actin]}
    - defocus: {sigma: [0.1, 1.5], p: 0.5}
training: {method: simclr, encoder: resnet18, epochs: 5, lr: 2e-3}
"""

#: (what is wrong, what replaces which text, line, what the message must say)
WRONG = [
    ("unknown key", ("positives:", "positive:"), 5, "unknown key 'positive' of a protocol; did you mean 'positives'?"),
    ("unknown key of a block", ("size: 64,", "size: 64, scalling: {},"), 4, "unknown key 'scalling' of crop; did you mean 'scaling'?"),
    ("unknown key of scaling", ("transform:", "transfrom:"), 4, "unknown key 'transfrom' of scaling; did you mean 'transform'?"),
    ("unknown key of training", ("epochs: 5", "epoch: 5"), 10, "unknown key 'epoch' of training; did you mean 'epochs'?"),
    ("unknown key of an operation", ("degrees: 180", "degree: 180"), 7, "unknown key 'degree' of rotate; did you mean 'degrees'?"),
    ("missing amplitude", ("degrees: 180, ", ""), 7, "rotate needs the key 'degrees' (largest angle either way)"),
    ("unknown operation", ("defocus:", "defocuss:"), 9, "unknown operation 'defocuss'; did you mean 'defocus'?"),
    ("no operation like it", ("defocus:", "qqqq:"), 9, "unknown operation 'qqqq'; there are blur, color_jitter, defocus"),
    ("p out of range", ("p: 0.5", "p: 1.5"), 9, "p: expected a number from 0 to 1, got 1.5"),
    ("text for a number", ("degrees: 180", "degrees: '180'"), 7, "degrees: expected a number from 0 to 180 degrees, got '180'"),
    ("not a number", ("degrees: 180", "degrees: .nan"), 7, "degrees: expected a number from 0 to 180 degrees, got nan"),
    ("too much", ("degrees: 180", "degrees: 360"), 7, "from 0 to 180 degrees, got 360"),
    ("range reversed", ("[0.1, 1.5]", "[1.5, 0.1]"), 9, "got [1.5, 0.1]; turn it round: [0.1, 1.5]"),
    ("one number for a range", ("[0.1, 1.5]", "1.5"), 9, "sigma: expected two rising numbers [from, to] between 0 and 20 px, got 1.5"),
    ("channels not a list", ("channels: [Actin]", "channels: Actin"), 8, "channels: expected a list of channel names, got 'Actin'; write [Actin]"),
    ("channel unknown", ("channels: [Actin]", "channels: [Actn]"), 8, "channel 'Actn' is not one of the protocol's; did you mean 'Actin'?"),
    ("channels of any", ("channels: [DAPI, Actin]", "channels: any"), 8, "only where the protocol lists its own"),
    ("channels of geometry", ("because: no up", "channels: [DAPI]"), 7, "unknown key 'channels' of rotate"),
    ("protocol's channels not a list", ("[DAPI, Actin]", "DAPI"), 3, "expected a list of channel names or any, got 'DAPI'; write [DAPI]"),
    ("channel twice", ("[DAPI, Actin]", "[Actin, Actin]"), 3, "expected every channel once"),
    ("missing name", ("name: mine\n", ""), 1, "a protocol needs the key 'name' (the protocol's name)"),
    ("missing crop size", ("size: 64, ", ""), 4, "crop needs the key 'size' (height and width of the view in pixels)"),
    ("missing views", ("views:\n", "vews:\n"), 1, "a protocol needs the key 'views'"),
    ("crop size as text", ("size: 64", "size: big"), 4, "size: expected a whole number, got 'big'"),
    ("crop size too small", ("size: 64", "size: 2"), 4, "size: expected greater than or equal to 8, got 2"),
    ("unknown transform", ("transform: sqrt", "transform: squrt"), 4, "transform: expected linear or sqrt or log, got 'squrt'; did you mean 'sqrt'?"),
    ("percentiles reversed", ("[1, 99.9]", "[99.9, 1]"), 4, "percentiles: expected two rising percentiles [from, to] between 0 and 100, got [99.9, 1]"),
    ("weak positives", ("same_cell", "same_wel"), 5, "positives: expected same_cell, got 'same_wel'"),
    ("unknown method", ("simclr", "simclrr"), 10, "unknown method 'simclrr'; did you mean 'simclr'?"),
    ("unknown encoder", ("resnet18", "resnet19"), 10, "unknown encoder 'resnet19'; did you mean 'resnet18'?"),
    ("unknown option", ("epochs: 5", "method_options: {temprature: 1}"), 10, "unknown option 'temprature' of simclr; did you mean 'temperature'?"),
    ("epochs as text", ("epochs: 5", "epochs: '5'"), 10, "epochs: expected a whole number, got '5'"),
    ("warm-up too long", ("epochs: 5", "epochs: 5, warmup_epochs: 9"), 10, "warmup_epochs: got 9, wanted less than epochs (5)"),
    ("duplicate key", ("positives: same_cell", "name: again"), 5, "key 'name' is here twice (first on line 1); keep one"),
    ("tab", ("  - - rotate", "\t- - rotate"), 7, "a tab stands in the indentation; YAML wants spaces"),
    ("broken YAML", ("[DAPI, Actin]", "[DAPI, Actin"), 4, "not valid YAML"),
    ("python object", ("name: mine", "name: !!python/object/apply:os.system [id]"), 1, "expected plain values, got the tag !!python/object/apply:os.system; remove it"),
    ("own tag", ("mine", "!mine x"), 1, "got the tag !mine"),
    ("alias of itself", ("name: mine", "name: &a [*a]"), 1, "an alias (*) repeats itself"),
    ("two operations in one item", ("    - stain_gain", "      stain_gain"), 7, "expected one operation per list item, got rotate, stain_gain"),
    ("operation without values", ("rotate: {degrees: 180, because: no up}", "rotate"), 7, "got 'rotate'; write rotate: {}"),
    ("operation with a number", ("{degrees: 180, because: no up}", "180"), 7, "expected keys and values for rotate, got 180"),
    ("views without the outer list", ("  - - rotate", "    - rotate"), 6, "each a list of operations, got the operations themselves; begin the first one with '- - '"),
    ("because as a number", ("because: no up", "because: 3"), 7, "because: expected text, got 3"),
    ("key that is a list", ("positives: same_cell", "[a, b]: 1"), 5, "expected text as a key"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("swap", "line", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_each_mistake_is_told_with_its_line(swap: tuple[str, str], line: int, message: str) -> None:
    assert swap[0] in RIGHT
    with pytest.raises(ProtocolError) as caught:
        loads(RIGHT.replace(*swap, 1), source="mine.yaml")
    told = str(caught.value).splitlines()
    assert any(item.startswith(f"mine.yaml:{line}: ") and message in item for item in told), told


def test_the_right_file_is_right() -> None:
    assert loads(RIGHT).training.lr == 0.002


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml:1: the file is empty"),
        ("# only a comment\n", "p.yaml:1: the file is empty"),
        ("- a\n- b\n", "p.yaml:1: expected keys and values (name: …, views: …), got ['a', 'b']"),
        ("just text", "p.yaml:1: expected keys and values"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2: not valid YAML"),
        ("a: \x07\n", "p.yaml:1: not valid YAML: a character that no text may hold"),
    ],
)
def test_files_that_are_no_protocol(text: str, message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        loads(text, source="p.yaml")
    assert message in str(caught.value)


def test_views_are_one_or_two() -> None:
    for views, message in (("[]", "got []"), ("[[], [], []]", "got 3"), ("x", "got 'x'")):
        text = RIGHT[: RIGHT.index("views:")] + f"views: {views}\n"
        with pytest.raises(ProtocolError, match=r"mine:6: expected .*one or two views"):
            loads(text, source="mine")
        with pytest.raises(ProtocolError) as caught:
            loads(text)
        assert message in str(caught.value)


def test_all_mistakes_are_listed_in_order() -> None:
    text = (
        RIGHT.replace("degrees: 180", "degree: 1")
        .replace("sqrt", "root")
        .replace("p: 0.5", "p: 7, q: 1")
        .replace("epochs: 5", "epochs: many")
    )
    with pytest.raises(ProtocolError) as caught:
        loads(text, source="f")
    lines = [int(item.split(":")[1]) for item in str(caught.value).splitlines()]
    assert lines == sorted(lines)
    assert lines == [4, 7, 7, 9, 9, 10]


def test_aliases_cannot_explode() -> None:
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    with pytest.raises(ProtocolError, match="repeats itself"):
        loads("\n".join(rows))


def test_missing_files_and_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="'bbbc021-expret'; did you mean 'bbbc021-expert'"):
        load("bbbc021-expret")
    with pytest.raises(ProtocolError, match=r"does not exist; give a .yaml file, or one of"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ProtocolError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(ProtocolError, match="not a text file in UTF-8"):
        load(tmp_path / "binary.yaml")


def test_errors_are_for_users() -> None:
    assert issubclass(ProtocolError, CellsslError)


def test_plain_values_from_a_checkpoint_are_checked_too() -> None:
    values = loads(RIGHT).to_dict()
    values["views"][0][0]["rotate"]["degrees"] = 999
    with pytest.raises(ProtocolError, match=r"run\.pt views\.0\.0\.rotate\.degrees: .*got 999"):
        from_dict(values, source="run.pt")

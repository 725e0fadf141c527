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
    ("no operation like it", ("defocus:", "qqqq:"), 9, "unknown operation 'qqqq'; there are airy_blur, "),
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
    ("missing views", ("views:\n", "pictures:\n"), 1, "a protocol needs the key 'views'"),
    ("crop size as text", ("size: 64", "size: big"), 4, "size: expected a whole number, got 'big'"),
    ("crop size too small", ("size: 64", "size: 2"), 4, "size: expected greater than or equal to 8, got 2"),
    ("unknown transform", ("transform: sqrt", "transform: squrt"), 4, "transform: expected linear or sqrt or log, got 'squrt'; did you mean 'sqrt'?"),
    ("percentiles reversed", ("[1, 99.9]", "[99.9, 1]"), 4, "percentiles: expected two rising percentiles [from, to] between 0 and 100, got [99.9, 1]"),
    ("percentiles as fractions", ("[1, 99.9]", "[0.01, 0.999]"), 4, "between 0 and 100, got [0.01, 0.999]; in percent that is [1.0, 99.9]"),
    ("decimal comma", ("amplitude: 0.1", "amplitude: 0,1"), 8, "unknown key '1' of stain_gain; a decimal comma? Numbers have a point: 0.1"),
    ("decimal comma in quotes", ("amplitude: 0.1", "amplitude: '0,1'"), 8, "amplitude: expected a number from 0 to 3 ln(factor), got '0,1'; write 0.1"),
    ("small number in quotes", ("amplitude: 0.1", "amplitude: '1e-3'"), 8, "got '1e-3'; write 1e-3"),
    ("percent without its sign", ("p: 0.5", "p: 50"), 9, "p: expected a number from 0 to 1, got 50; 50 % is 0.5"),
    ("percent", ("p: 0.5", "p: 50%"), 9, "p: expected a number from 0 to 1, got '50%'; write 0.5"),
    ("unit", ("degrees: 180", "degrees: 180°"), 7, "got '180°'; write 180, the number alone"),
    ("decimal commas in a range", ("[0.1, 1.5]", "[0,1, 1,5]"), 9, "got [0, 1, 1, 5]; decimal commas? Numbers have a point: [0.1, 1.5]"),
    ("range in quotes", ("[0.1, 1.5]", "['0,1', 1.5]"), 9, "got ['0,1', 1.5]; write [0.1, 1.5]"),
    ("no space behind the colon", ("amplitude: 0.1", "amplitude:0.1"), 8, "unknown key 'amplitude:0.1' of stain_gain; write 'amplitude: 0.1', with a space after the colon"),
    ("laser lines", ("[DAPI, Actin]", "[405, 488]"), 3, "got [405, 488]; names of digits stand in quotes: ['405', '488']"),
    ("laser line of an operation", ("channels: [Actin]", "channels: [488]"), 8, "got [488]; names of digits stand in quotes: ['488']"),
    ("any with a capital", ("[DAPI, Actin]", "Any"), 3, "expected a list of channel names or any, got 'Any'; write any"),
    ("weak positives", ("same_cell", "same_wel"), 5, "positives: expected same_cell or same_well or same_treatment, or keys and values (kind: …), got 'same_wel'; did you mean 'same_well'?"),
    ("unknown method", ("simclr", "simclrr"), 10, "unknown method 'simclrr'; did you mean 'simclr'?"),
    ("unknown encoder", ("resnet18", "resnet19"), 10, "unknown encoder 'resnet19'; did you mean 'resnet18'?"),
    ("option out of range", ("epochs: 5", "method_options: {dim: 8, temperature: -1}"), 10, "temperature: got -1, wanted a number above 0"),
    ("absurd size", ("epochs: 5", "method_options: {hidden: 1000000000}"), 10, "hidden: got 1000000000, wanted a whole number from 1 to 65536"),
    ("unknown option", ("epochs: 5", "method_options: {temprature: 1}"), 10, "unknown option 'temprature' of simclr; did you mean 'temperature'?"),
    ("epochs as text", ("epochs: 5", "epochs: '5'"), 10, "epochs: expected a whole number, got '5'"),
    ("warm-up too long", ("epochs: 5", "epochs: 5, warmup_epochs: 9"), 10, "warmup_epochs: got 9, wanted less than epochs (5)"),
    ("duplicate key", ("positives: same_cell", "name: again"), 5, "key 'name' is here twice (first on line 1); keep one"),
    ("tab", ("  - - rotate", "\t- - rotate"), 7, "a tab stands in the indentation; YAML wants spaces"),
    ("merge key", ("degrees: 180,", "<<: {degrees: 180},"), 7, "YAML's merge key << is not read; write its keys out here, or let one file extend another (extends:)"),
    ("text with a colon", ("no up", "no up: none"), 7, "expected ',' or '}', but got ':'; a text that holds a colon or comma stands in quotes"),
    ("text with a comma", ("no up", "no up, no down"), 7, "unknown key 'no down' of rotate; a text that holds a comma stands in quotes"),
    ("two documents", ("training:", "---\ntraining:"), 10, "a second document begins (---): a file holds one"),
    ("truth for a name", ("name: mine", "name: true"), 1, "name: expected text, got True; in quotes it is text"),
    ("number for a name", ("name: mine", "name: 007"), 1, "name: expected text, got 7; in quotes it is text"),
    ("broken YAML", ("[DAPI, Actin]", "[DAPI, Actin"), 4, "not valid YAML"),
    ("python object", ("name: mine", "name: !!python/object/apply:os.system [id]"), 1, "expected plain values, got the tag !!python/object/apply:os.system; remove it"),
    ("own tag", ("mine", "!mine x"), 1, "got the tag !mine"),
    ("a tag that does not fit", ("because: no up", "because: !!bool no"), 7, "expected a value of the type bool, got 'no'"),
    ("more digits than can be", ("epochs: 5", f"epochs: {'9' * 5000}"), 10, "expected a value of the type int, got '9999"),
    ("alias of itself", ("name: mine", "name: &a [*a]"), 1, "an alias (*) repeats itself"),
    ("two operations in one item", ("    - stain_gain", "      stain_gain"), 7, "expected one operation per list item, got rotate, stain_gain"),
    ("operation without values", ("rotate: {degrees: 180, because: no up}", "rotate"), 7, "got 'rotate'; write rotate: {}"),
    ("operation with a number", ("{degrees: 180, because: no up}", "180"), 7, "expected keys and values for rotate, got 180"),
    ("views without the outer list", ("  - - rotate", "    - rotate"), 6, "each a list of operations, got the operations themselves; begin the first one with '- - '"),
    ("because as a number", ("because: no up", "because: 3"), 7, "because: expected text, got 3"),
    ("version of tomorrow", ("name: mine", "version: 3\nname: mine"), 1, "made for a newer cellssl (version 3, this one knows 2); update cellssl"),
    ("version as text", ("name: mine", "version: '2'\nname: mine"), 1, "version: expected a whole number, got '2'"),
    ("version of nothing", ("name: mine", "version: 0\nname: mine"), 1, "version: expected a whole number from 1 to 2, got 0"),
    ("version true", ("name: mine", "version: true\nname: mine"), 1, "version: expected a whole number, got True"),
    ("old name in a new file", ("    - defocus: {sigma: [0.1, 1.5], p: 0.5}\n", "    - noise: {sigma: [0, 0.1]}\nversion: 2\n"), 9, "noise is called read_noise since version 2"),
    ("edit without a base", ("positives: same_cell", "change: {rotate: {degrees: 3}}"), 5, "change edits inherited operations; it goes with extends: only"),
    ("addition without a base", ("positives: same_cell", "add: []"), 5, "add edits inherited operations; it goes with extends: only"),
    ("extends misspelt", ("positives: same_cell", "extend: other"), 5, "unknown key 'extend' of a protocol; did you mean 'extends'?"),
    ("base that is none", ("positives: same_cell", "extends: 3"), 5, "extends: expected a protocol's name or file, got 3"),
    ("base unknown", ("positives: same_cell", "extends: natural-mocco"), 5, "extends: no protocol is called 'natural-mocco'; did you mean 'natural-moco'?"),
    ("base absent", ("positives: same_cell", "extends: other.yaml"), 5, "extends: other.yaml does not exist"),
    ("border unknown", ("size: 64,", "size: 64, border: neighbors,"), 4, "border: expected neighbours or mirror or zeros, got 'neighbors'; did you mean 'neighbours'?"),
    ("interpolation unknown", ("size: 64,", "size: 64, interpolation: cubic,"), 4, "interpolation: expected bilinear or bicubic, got 'cubic'; did you mean 'bicubic'?"),
    ("positives as a list", ("same_cell", "[same_cell]"), 5, "positives: expected same_cell or same_well or same_treatment, or keys and values (kind: …), got ['same_cell']"),
    ("positives without kind", ("same_cell", "{another_plate: true}"), 5, "positives needs the key 'kind' (where the second view comes from)"),
    ("kind unknown", ("same_cell", "{kind: same_wel}"), 5, "kind: expected same_cell or same_well or same_treatment, got 'same_wel'; did you mean 'same_well'?"),
    ("unknown key of positives", ("same_cell", "{kind: same_well, plate: [P1]}"), 5, "unknown key 'plate' of positives; did you mean 'plates'?"),
    ("plates without a list", ("same_cell", "{kind: same_well, plates: P1}"), 5, "plates: expected a list of plate names, got 'P1'; write [P1]"),
    ("plates twice", ("same_cell", "{kind: same_well, plates: [7, '7']}"), 5, "plates: expected every plate once, got ['7', '7']"),
    ("plates of the same cell", ("same_cell", "{kind: same_cell, exclude_plates: [P1]}"), 5, "exclude_plates: go with same_well and same_treatment, got same_cell"),
    ("plates said twice", ("same_cell", "{kind: same_well, plates: [P1], exclude_plates: [P2]}"), 5, "exclude_plates: plates says already which are used; keep one of them"),
    ("another plate of a well", ("same_cell", "\n  kind: same_well\n  another_plate: true"), 7, "another_plate: goes with same_treatment only, got same_well"),
    ("another plate as text", ("same_cell", "{kind: same_treatment, another_plate: 'yes'}"), 5, "another_plate: expected true or false, got 'yes'"),
    ("columns of a cell", ("same_cell", "{kind: same_cell, columns: [MOA]}"), 5, "columns: go with same_treatment only, got same_cell"),
    ("columns not a list", ("same_cell", "{kind: same_treatment, columns: MOA}"), 5, "columns: expected a list of column names, got 'MOA'; write [MOA]"),
    ("column twice", ("same_cell", "{kind: same_treatment, columns: [MOA, Metadata_MOA]}"), 5, "columns: expected every column once, got ['MOA', 'MOA']"),
    ("one word of several", ("defocus: {sigma: [0.1, 1.5], p: 0.5}", "mask_background: {fill: blck}"), 9, "fill: expected background or black, got 'blck'; did you mean 'black'?"),
    ("whole number", ("defocus: {sigma: [0.1, 1.5], p: 0.5}", "mask_background: {grow: 1.5}"), 9, "grow: expected a whole number from 0 to 128 px, got 1.5"),
    ("name of a channel as a list", ("defocus: {sigma: [0.1, 1.5], p: 0.5}", "bleed_through: {amount: [0, 0.1], source: [DAPI], target: Actin}"), 9, "source: expected the name of one channel, got ['DAPI']"),
    ("source unknown", ("defocus: {sigma: [0.1, 1.5], p: 0.5}", "bleed_through: {amount: [0, 0.1], source: DAPY, target: Actin}"), 9, "channel 'DAPY' is not one of the protocol's; did you mean 'DAPI'?"),
    ("half a pair", ("defocus: {sigma: [0.1, 1.5], p: 0.5}", "bleed_through: {amount: [0, 0.1], source: DAPI}"), 9, "needs target beside it"),
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


@pytest.mark.parametrize("key", ["Degrees", "degree"])
def test_a_misspelt_key_is_one_mistake(key: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        loads(RIGHT.replace("degrees", key), source="mine.yaml")
    assert str(caught.value) == (
        f"mine.yaml:7: unknown key {key!r} of rotate; did you mean 'degrees'?"
    )


@pytest.mark.parametrize(
    ("swap", "told"),
    [
        (("channels: [D", "Chanels: [D"), "3: unknown key 'Chanels' of a protocol; did you mean 'channels'?"),
        (("views:", "view:"), "6: unknown key 'view' of a protocol; did you mean 'views'?"),
        (("name: mine", "nmae: mine"), "1: unknown key 'nmae' of a protocol; did you mean 'name'?"),
        (("crop: {size", "crop: {siz"), "4: unknown key 'siz' of crop; did you mean 'size'?"),
        (("  - - rotate", "  - operation:\n    - rotate"), "7: unknown key 'operation' of a view; did you mean 'operations'?"),
    ],
)  # fmt: skip
def test_a_misspelt_key_that_is_needed_is_one_mistake(swap: tuple[str, str], told: str) -> None:
    assert swap[0] in RIGHT
    with pytest.raises(ProtocolError) as caught:
        loads(RIGHT.replace(*swap), source="mine.yaml")
    assert str(caught.value) == f"mine.yaml:{told}"


def test_the_right_file_is_right() -> None:
    assert loads(RIGHT).training.lr == 0.002


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml:1: the file is empty"),
        ("# only a comment\n", "p.yaml:1: the file is empty"),
        ("- a\n- b\n", "p.yaml:1: expected keys and values (name: …, views: …), got ['a', 'b']"),
        ("just text", "p.yaml:1: expected keys and values"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2: a second document begins (---): a file holds one"),
        ("a: \x07\n", "p.yaml:1: not valid YAML: a character that no text may hold"),
    ],
)
def test_files_that_are_no_protocol(text: str, message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        loads(text, source="p.yaml")
    assert message in str(caught.value)


#: (what is wrong, the views, line, what the message must say); views begin on line 6
VIEWS = [
    ("nothing", " []", 6, "expected a list of views, got []"),
    ("a word", " x", 6, "expected a list of views, got 'x'"),
    ("no list", "\n  operations: [flip: {}]", 6, "expected a list of views, got keys and values (operations)"),
    ("no outer list", "\n  - flip: {}\n  - rotate: {degrees: 3}", 6, "got the operations themselves; begin the first one with '- - '"),
    ("a list for each operation", "\n  - - flip: {}\n  - - rotate: {degrees: 3}\n  - - shift: {pixels: 2}", 6, "these are 3 views of one operation each; the operations of one view stand in one list: begin the first one with '- - '"),
    ("one without a list", "\n  - [flip: {}]\n  - flip: {}", 8, "expected a list of operations, or operations: with count: and size:, got keys and values (flip)"),
    ("a word among views", "\n  - [flip: {}]\n  - flip", 8, "expected a list of operations, or operations: with count: and size:, got 'flip'"),
    ("no operations", "\n  - count: 2", 7, "a view needs the key 'operations' (a list of operations)"),
    ("operations misspelt", "\n  - operation: [flip: {}]", 7, "unknown key 'operation' of a view; did you mean 'operations'?"),
    ("operations not a list", "\n  - operations: {flip: {}}", 7, "operations: expected a list, got keys and values (flip)"),
    ("wrong operation inside", "\n  - count: 2\n    operations:\n      - flip: {}\n      - rotate: {degrees: 999}", 10, "degrees: expected a number from 0 to 180 degrees, got 999"),
    ("wrong channel inside", "\n  - operations:\n      - stain_gain: {amplitude: 0.1, channels: [ER]}", 8, "channel 'ER' is not one of the protocol's"),
    ("count of nothing", "\n  - []\n  - operations: []\n    count: 0", 9, "count: expected a whole number from 1 to 16, got 0"),
    ("count as text", "\n  - operations: []\n    count: two", 8, "count: expected a whole number from 1 to 16, got 'two'"),
    ("one view alone", "\n  - operations: []\n    count: 1", 8, "count: one view has nothing to be compared with; write 2"),
    ("too many views", "\n  - []\n  - operations: []\n    count: 16", 6, "expected 16 views at most in all, got 17"),
    ("small global view", "\n  - []\n  - operations: []\n    size: 32", 9, "size: the first two views are the global ones and have crop.size (64 px), got 32"),
    ("small global views", "\n  - operations: []\n    size: 32", 8, "size: the first two views are the global ones"),
    ("larger than the crop", "\n  - []\n  - []\n  - operations: []\n    size: 65", 10, "size: expected crop.size (64 px) at most, got 65"),
    ("too small", "\n  - []\n  - []\n  - operations: []\n    size: 4", 10, "size: expected a whole number from 8 to 1024, got 4"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("views", "line", "message"), [case[1:] for case in VIEWS], ids=[case[0] for case in VIEWS]
)
def test_each_mistake_in_the_views_is_told_with_its_line(
    views: str, line: int, message: str
) -> None:
    text = RIGHT[: RIGHT.index("views:")] + f"views:{views}\n"
    with pytest.raises(ProtocolError) as caught:
        loads(text, source="mine.yaml")
    told = str(caught.value).splitlines()
    assert any(item.startswith(f"mine.yaml:{line}: ") and message in item for item in told), told
    assert len(told) <= 2


#: (what is wrong, what the child says below its name and extends, line, what the message must say)
CHILDREN = [
    ("changed amplitude", "change:\n  stain_gain:\n    amplitude: 9", 5, "amplitude: expected a number from 0 to 3 ln(factor), got 9"),
    ("changed key", "change: {stain_gain: {amplitud: 1}}", 3, "unknown key 'amplitud' of stain_gain; did you mean 'amplitude'?"),
    ("changed unknown", "change: {stain_gian: {amplitude: 1}}", 3, "change: no inherited operation is called 'stain_gian'; did you mean 'stain_gain'?"),
    ("changed one that is not there", "change: {blur: {p: 0}}", 3, "change: no inherited operation is called 'blur'; there are rotate, stain_gain, defocus"),
    ("change as a list", "change: [stain_gain]", 3, "change: expected operations with the keys to change, got ['stain_gain']"),
    ("change without keys", "change:\n  rotate: 90", 4, "expected keys and values for rotate, got 90"),
    ("old name changed", "version: 2\nchange: {noise: {p: 1}}", 4, "change: noise is called read_noise since version 2"),
    ("removed unknown", "remove:\n  - rotate\n  - blur", 5, "remove: no inherited operation is called 'blur'"),
    ("remove as a word", "remove: rotate", 3, "remove: expected a list of operations, got 'rotate'; write [rotate]"),
    ("changed and removed", "change: {rotate: {p: 1}}\nremove: [rotate]", 4, "remove: rotate is changed and removed; keep one"),
    ("added unknown", "add:\n  - flip: {}\n  - blurr: {}", 5, "unknown operation 'blurr'; did you mean 'blur'?"),
    ("added out of range", "add:\n  - rotate:\n      degrees: 200", 5, "degrees: expected a number from 0 to 180 degrees, got 200"),
    ("add as a mapping", "add: {flip: {}}", 3, "add: expected a list of operations, got keys and values (flip)"),
    ("edits beside views", "remove: [rotate]\nviews: [[]]", 3, "remove edits inherited views, but views are written out here"),
    ("wrong view", "views:\n  - - rotate: {degrees: 200}", 4, "got 200"),
    ("wrong value", "training:\n  epochs: many", 4, "epochs: expected a whole number, got 'many'"),
    ("wrong block", "training: fast", 3, "training: expected keys and values, got 'fast'"),
    ("unknown key", "crop: {scaling: {transfrom: log}}", 3, "unknown key 'transfrom' of scaling; did you mean 'transform'?"),
    ("inherited channel", "channels: [DAPI, ER]", 2, "channel 'Actin' is not one of the protocol's; there are DAPI, ER (inherited from base.yaml)"),
    ("too few epochs", "training: {warmup_epochs: 7}", 3, "warmup_epochs: got 7, wanted less than epochs (5); null (--set training.warmup_epochs=null)"),
    ("key of labels used", "labels_used: {column: [MOA]}", 3, "unknown key 'column' of labels_used; did you mean 'columns'?"),
    ("labels used of nothing", "labels_used: {plates: [P1]}", 3, "labels_used needs the key 'columns' (columns that were looked at"),
    ("name of the base", "name: mine", 3, "key 'name' is here twice"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("says", "line", "message"), [case[1:] for case in CHILDREN], ids=[case[0] for case in CHILDREN]
)
def test_each_mistake_in_a_child_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, line: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(RIGHT, encoding="utf-8")
    Path("child.yaml").write_text(f"name: child\nextends: base.yaml\n{says}\n", encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        load("child.yaml")
    told = str(caught.value).splitlines()
    assert any(item.startswith(f"child.yaml:{line}: ") and message in item for item in told), told


def test_mistakes_of_a_base_are_told_in_its_file(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(RIGHT.replace("degrees: 180", "degrees: 999"), encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\nname: child\ntraining: {epochs: x}\n", encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        load(child)
    assert str(caught.value).startswith(f"{base}:7: degrees: ")


def test_a_child_needs_a_name_of_its_own() -> None:
    with pytest.raises(ProtocolError, match=r"p:1: a protocol that extends another needs a name"):
        loads("extends: natural-moco\n", source="p")
    with pytest.raises(ProtocolError, match=r"p:2: name: 'natural-moco' is the name of what it ex"):
        loads("extends: natural-moco\nname: natural-moco\n", source="p")


def test_circles_are_told_with_their_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, base in (("a", "b"), ("b", "c"), ("c", "a")):
        Path(f"{name}.yaml").write_text(f"name: {name}\nextends: {base}.yaml\n", encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        load("a.yaml")
    assert str(caught.value) == (
        "c.yaml:2: extends: goes in a circle: a.yaml → b.yaml → c.yaml → a.yaml; "
        "end it in one of them"
    )


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
    assert lines == [4, 7, 9, 9, 10]


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


def test_plain_values_that_need_a_file_or_a_newer_version_are_refused() -> None:
    with pytest.raises(
        ProtocolError, match=r"run\.pt extends: extends: works in protocol files only"
    ):
        from_dict({**loads(RIGHT).to_dict(), "extends": "natural-moco"}, source="run.pt")
    with pytest.raises(ProtocolError, match=r"run\.pt: made for a newer cellssl \(version 9"):
        from_dict({"version": 9}, source="run.pt")


def test_a_view_that_the_encoder_cannot_look_at_is_told_at_the_encoder() -> None:
    text = RIGHT.replace("size: 64", "size: 28").replace("resnet18", "vgg11_bn")
    with pytest.raises(ProtocolError, match="mine:10: encoder: vgg11_bn needs views of 32 px"):
        loads(text, source="mine")
    assert loads(text.replace("size: 28", "size: 32")).training.encoder == "vgg11_bn"


def test_a_file_called_without_its_ending_is_named(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("version: 2\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProtocolError, match=r"'mine'; a file mine\.yaml is there: give its path"):
        load("mine")

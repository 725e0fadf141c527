"""Manifests: those that ship, and what is said of wrong ones."""

# ruff: noqa: E501  (a table reads best with a case a line)

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import torchvision

from cellssl import encoders
from cellssl.datasets import load_manifest, manifest_names
from cellssl.datasets.cifar import holds_cifar
from cellssl.datasets.downloads import read_manifest
from cellssl.errors import CellsslError, DataError

RIGHT = """\
version: 1
name: mine
title: My screen
homepage: https://example.org
licence: {name: CC0, address: https://example.org/terms}
citation: Me, 2020
always: [table]
parts:
  table:
    - addresses: ["https://example.org/a%20b/wells.csv?download=1"]
      size: 12
      checksum: md5:0123456789abcdef0123456789abcdef
  one:
    - {addresses: [https://example.org/one.zip], unpack: one}
"""

#: (what is wrong, what replaces which text, line, what the message must say)
WRONG = [
    ("unknown key", ("title:", "titel:"), 3, "unknown key 'titel' of a manifest; did you mean 'title'?"),
    ("unknown key of a file", ("size: 12", "sizes: 12"), 11, "unknown key 'sizes' of a file; did you mean 'size'?"),
    ("unknown key of the licence", ("{name: CC0,", "{nam: CC0,"), 5, "unknown key 'nam' of licence; did you mean 'name'?"),
    ("missing key", ("citation: Me, 2020\n", ""), 1, "a manifest needs the key 'citation' (what to cite)"),
    ("missing version", ("version: 1\n", ""), 1, "needs the key 'version'"),
    ("newer version", ("version: 1", "version: 2"), 1, "version 2 is newer than this cellssl knows (1): update"),
    ("no version", ("version: 1", "version: one"), 1, "version: expected 1, got 'one'"),
    ("text for a number", ("size: 12", "size: '12'"), 11, "size: expected a whole number, got '12'"),
    ("no size", ("size: 12", "size: 0"), 11, "size: expected greater than 0, got 0"),
    ("short md5", ("abcdef\n", "abcde\n"), 12, "checksum: expected md5: and 32 digits"),
    ("no algorithm", ("md5:", "sha1:"), 12, "checksum: expected md5: and 32 digits"),
    ("no web address", ("https://example.org/one.zip", "file:///etc/passwd"), 14, "expected an address https://…, got 'file:///etc/passwd'"),
    ("password", ("https://example.org/one.zip", "https://me:secret@example.org/one.zip"), 14, "expected an address"),
    ("no addresses", ("addresses: [https://example.org/one.zip]", "addresses: []"), 14, "addresses: expected one or more, got "),
    ("text for a list", ("[https://example.org/one.zip]", "https://example.org/one.zip"), 14, "addresses: expected a list, got 'https"),
    ("leads out", ("unpack: one", "unpack: ../one"), 14, "unpack: expected a name of letters"),
    ("hidden", ("unpack: one", "unpack: .downloading"), 14, "unpack: expected a name of letters"),
    ("no name in the address", ("org/one.zip", "org/"), 14, "name: expected a name of letters"),
    ("our own name", ("org/one.zip", "org/checksums.json"), 14, "and not checksums.json"),
    ("two files of one name", ("unpack: one", "name: wells.csv"), 8, "wells.csv would be written twice; set name:"),
    ("always what is not there", ("[table]", "[tables]"), 7, "no part is called 'tables'; did you mean 'table'?"),
    ("no parts", (RIGHT[RIGHT.index("parts:"):], "parts: {}\n"), 8, "parts: expected one or more, got {}"),
    ("a key twice", ("homepage:", "title: Again\nhomepage:"), 4, "key 'title' is here twice (first on line 3); keep one"),
    ("an alias", ("always: [table]", "always: &a [*a]"), 7, "an alias (*) repeats itself"),
    ("an object", ("Me, 2020", "!!python/object/apply:os.system [ls]"), 6, "expected plain values, got the tag"),
    ("a tag that does not fit", ("size: 12", "size: !!int many"), 11, "expected a value of the type int, got 'many'"),
    ("no YAML", ("title:", "\ttitle:"), 3, "not valid YAML"),
    ("a list", (RIGHT, "- 1\n"), 1, "expected keys and values"),
    ("nothing", (RIGHT, "# nothing\n"), 1, "the file is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "line", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])  # fmt: skip
def test_mistakes_are_told_with_their_line(change, line, said):
    assert change[0] in RIGHT
    with pytest.raises(DataError) as raised:
        read_manifest(RIGHT.replace(*change, 1), source="m.yaml")
    assert f"m.yaml:{line}: " in str(raised.value)
    assert said in str(raised.value)
    assert isinstance(raised.value, CellsslError)


def test_all_mistakes_are_told_at_once_in_their_order():
    wrong = RIGHT.replace("title:", "titel:").replace("size: 12", "size: x")
    with pytest.raises(DataError) as raised:
        read_manifest(wrong, source="m.yaml")
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["1", "3", "11"]


def test_a_right_manifest_is_read():
    manifest = read_manifest(RIGHT)
    table, one = manifest.files()
    assert (table.name, table.size, table.algorithm, table.digits[:4]) == (
        "wells.csv",
        12,
        "md5",
        "0123",
    )
    assert (one.name, one.unpack, one.checksum) == ("one.zip", "one", None)
    assert manifest.total() is None


def test_parts_are_chosen_by_name_and_pattern_and_bring_what_always_comes():
    bbbc021 = load_manifest("bbbc021")
    assert bbbc021.choose(["Week1_22123"]) == ["metadata", "Week1_22123"]
    assert len(bbbc021.choose(["Week1_*", "Week10_*"])) == 1 + 6 + 3
    assert bbbc021.choose(None) == list(bbbc021.parts)
    with pytest.raises(DataError, match=r"no part 'Week1_22124'; did you mean 'Week1_221"):
        bbbc021.choose(["Week1_22124"])


def test_manifests_are_found_by_name_and_by_path(tmp_path):
    (tmp_path / "m.yaml").write_text(RIGHT)
    assert load_manifest(tmp_path / "m.yaml").name == "mine"
    assert load_manifest(str(tmp_path / "m.yaml")).name == "mine"
    with pytest.raises(DataError, match="no data set is called 'cifar'; did you mean 'cifar10'"):
        load_manifest("cifar")
    with pytest.raises(DataError, match=r"n\.yaml: cannot be read: No such file"):
        load_manifest(tmp_path / "n.yaml")


@pytest.mark.parametrize("name", manifest_names())
def test_shipped_manifests_are_complete(name):
    manifest = load_manifest(name)
    assert manifest.name == name
    assert len(manifest.licence.name) > 2
    assert re.search(r"(19|20)\d\d", manifest.citation)
    assert manifest.use
    assert all("FOLDER" in use or "bbbc021.csv" in use for use in manifest.use)
    assert manifest.about or manifest.total()
    for file in manifest.files():
        for address in file.addresses:
            assert address.startswith("https://")
            assert address.endswith(file.name)


def test_shipped_are_the_data_sets_of_the_studies():
    assert manifest_names() == ["bbbc021", "cifar10", "cifar100", "imagenet-resnets", "mnist"]


def test_bbbc021_has_the_plates_of_its_metadata(data):
    table = pd.read_csv(data / "bbbc021" / "metadata" / "BBBC021_v1_image.csv.gz")
    parts = dict(load_manifest("bbbc021").parts)
    metadata = parts.pop("metadata")
    assert set(parts) == set(table["Image_Metadata_Plate_DAPI"])
    assert len(parts) == 55
    assert {"BBBC021_v1_image.csv", "BBBC021_v1_moa.csv"} < {file.name for file in metadata}
    for plate, (file,) in parts.items():
        assert file.name == f"BBBC021_v1_images_{plate}.zip"
        assert file.unpack == plate
        assert file.checksum is None  # none is published


def test_weights_are_torchvisions_of_every_resnet_that_is_an_encoder():
    parts = load_manifest("imagenet-resnets").parts
    assert set(parts) == {n for n in encoders.names() if re.fullmatch(r"resnet\d+", n)}
    for name, (file,) in parts.items():
        weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        assert file.addresses == (weights.url,)
        assert file.checksum == f"sha256:{Path(file.name).stem.rsplit('-')[-1]}"
        if file.size:
            assert file.size / 2**20 == pytest.approx(weights.meta["_file_size"], abs=1e-3)


def test_pictures_are_torchvisions_files_and_cifar_is_the_binary_version():
    resources = dict(torchvision.datasets.MNIST.resources)
    files = list(load_manifest("mnist").files())
    assert {file.name: file.digits for file in files} == resources
    mirrors = torchvision.datasets.MNIST.mirrors
    assert all(any(f.addresses[0].startswith(mirror) for mirror in mirrors) for f in files)
    for name in ("cifar10", "cifar100"):
        (file,) = load_manifest(name).files()
        assert re.fullmatch(r"cifar-100?-binary\.tar\.gz", file.name)
        assert file.unpack is None  # read from the archive
        assert file.algorithm == "md5"
    assert holds_cifar(["train.bin"], Path())


def test_manifests_go_into_the_wheel_where_they_are_looked_for():
    root = Path(__file__).parents[2]
    built = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    target = built["targets"]["wheel"]["force-include"]["data_manifests"]
    reading = root / "cellssl" / "datasets" / "downloads" / "reading.py"
    assert root / target == reading.parents[1] / "manifests"

"""XML from outside: bombs are refused wherever XML is read, and nothing outside is opened."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellssl.errors import PlateError
from cellssl.plates import index
from cellssl.plates.layouts.markup import MarkupError, UnsafeMarkupError, parse, records

from . import microscopes

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol" * 1000}">' for n in range(9))
BOMB = f"<!DOCTYPE r [{LAUGHS}]>"
OUTSIDE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
DECLARATION = '<?xml version="1.0"?>\n'


@pytest.mark.parametrize("head", [BOMB, OUTSIDE, "<!DOCTYPE r>", '<!DOCTYPE r SYSTEM "a.dtd">'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused(tmp_path: Path, head: str, encoding: str) -> None:
    text = f"{head}<r><a>&l8;&x;</a></r>"
    path = tmp_path / "a.xml"
    path.write_text(text, encoding=encoding)
    tracemalloc.start()
    with pytest.raises(UnsafeMarkupError, match=r"a\.xml has a document type"):
        list(records(path, "a"))
    with pytest.raises(UnsafeMarkupError, match="has a document type"):
        parse(text)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def _phenix(folder: Path) -> None:
    path = microscopes.phenix_xml(folder, microscopes.shoot())
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(text.replace("<User>ops", "<User>&l8;").replace("?>\n", f"?>\n{BOMB}", 1))


def _yokogawa(folder: Path) -> None:
    path = microscopes.yokogawa_mlf(folder, microscopes.shoot())
    path.write_text(path.read_text().replace("?>\n", f"?>\n{BOMB}", 1))


def _cq1(folder: Path) -> None:
    microscopes.cq1(folder, microscopes.shoot())
    microscopes.cq1_detail(folder, columns=12)
    path = folder / "P1" / "MeasurementDetail.mrf"
    path.write_text(BOMB + path.read_text())


def _ome(folder: Path) -> None:
    xml = f'{DECLARATION}{BOMB}<OME xmlns="x"><Image ID="Image:0"><Pixels/></Image></OME>'
    tifffile.imwrite(folder / "A01.ome.tif", np.zeros((8, 8), np.uint8), description=xml)


@pytest.mark.parametrize("write", [_phenix, _yokogawa, _cq1, _ome])
def test_plates_with_bombs_are_refused(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    with pytest.raises(PlateError, match=r"has a document type.*which no microscope writes"):
        index(tmp_path)


def test_deep_documents_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<a>" * 5000 + "</a>" * 5000)
    with pytest.raises(UnsafeMarkupError, match="200 deep"):
        list(records(path, "b"))


@pytest.mark.parametrize("text", ["", "<r><a>1</a>", "<r><a>1</b></r>", "\0\1\2", "<r/><r/>"])
def test_damage_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(MarkupError, match=r"a\.xml is truncated or damaged"):
        list(records(path, "a"))
    with pytest.raises(MarkupError, match="is truncated or damaged"):
        parse(text)


def test_records_have_bare_names_attributes_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<n:r xmlns:n="u"><n:a n:id="1"><n:b>x <!-- - --> </n:b><n:c><n:b>no</n:b></n:c></n:a>'
        "<n:a>own</n:a></n:r>"
    )
    first, second = records(path, "a")
    assert (first["id"], first["b"], first.get("c"), first.get("d")) == ("1", "x", "", "")
    assert second.text == "own"

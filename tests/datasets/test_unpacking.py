"""Archives: unpacked whole, or refused with nothing left behind."""

import io
import stat
import tarfile
import zipfile
from hashlib import sha256

import pytest

from cellssl.datasets.downloads import DataError, Limits, unpack

MEMBERS = {"plate/a.tif": b"a" * 5000, "plate/deep/b.tif": b"", "plate/c.txt": b"text"}


def zipped(path, members, kinds=None, packing=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = packing
            info.external_attr = (kinds or {}).get(name, 0) << 16
            archive.writestr(info, data)
    return path


def tarred(path, members, kinds=None, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type = (kinds or {}).get(name, tarfile.REGTYPE)
            info.size = len(data) if info.isreg() else 0
            info.linkname = "/etc/passwd" if not info.isreg() else ""
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def refused(archive, tmp_path, said, **how):
    target, work = tmp_path / "plate", tmp_path / "work"
    before = files(tmp_path)
    with pytest.raises(DataError, match=said):
        unpack(archive, target, work=work, **how)
    assert not target.exists()
    assert files(tmp_path) == before
    assert not any(work.iterdir())


@pytest.mark.parametrize("mode", ["zip", "stored", "w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("top", ["plate/", "", "./plate/"])
def test_archives_become_their_folder(tmp_path, mode, top):
    members = {name.replace("plate/", top): data for name, data in MEMBERS.items()}
    packing = zipfile.ZIP_STORED if mode == "stored" else zipfile.ZIP_DEFLATED
    path, counted = tmp_path / "archive", []
    made = (
        tarred(path, members, mode=mode)
        if mode.startswith("w")
        else zipped(path, members, packing=packing)
    )
    found = unpack(made, tmp_path / "plate", work=tmp_path / "work", add=counted.append)
    expected = {name.removeprefix("plate/"): data for name, data in MEMBERS.items()}
    assert files(tmp_path / "plate") == expected
    assert {n: (d.size, d.sha256) for n, d in found.items()} == {
        n: (len(data), sha256(data).hexdigest()) for n, data in expected.items()
    }
    assert sum(counted) >= 5004


def test_another_top_folder_stays(tmp_path):
    found = unpack(zipped(tmp_path / "a.zip", MEMBERS), tmp_path / "other", work=tmp_path)
    assert set(found) == set(MEMBERS)
    assert set(files(tmp_path / "other")) == set(MEMBERS)


def test_what_else_lies_in_the_folder_stays(tmp_path):
    (tmp_path / "plate").mkdir()
    (tmp_path / "plate" / "notes.txt").write_text("mine")
    (tmp_path / "plate" / "a.tif").write_text("damaged")
    unpack(zipped(tmp_path / "a.zip", MEMBERS), tmp_path / "plate", work=tmp_path / "work")
    assert files(tmp_path / "plate")["notes.txt"] == b"mine"
    assert files(tmp_path / "plate")["a.tif"] == b"a" * 5000


OUT = [
    "../evil",
    "plate/../../evil",
    "/etc/evil",
    "..\\evil",
    "C:/evil",
    "C:evil",
    "a\nb",
    "plate/..",
]


@pytest.mark.parametrize("name", OUT)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_lead_out_are_refused(tmp_path, make, name):
    refused(
        make(tmp_path / "a", {"plate/good": b"1", name: b"2"}), tmp_path, "lead out of its folder"
    )


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
def test_special_files_in_a_zip_are_refused(tmp_path, kind):
    archive = zipped(
        tmp_path / "a.zip", {"good": b"1", "odd": b"/etc/passwd"}, {"odd": kind | 0o777}
    )
    refused(archive, tmp_path, "'odd', which is a link, a device")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_special_files_in_a_tar_are_refused(tmp_path, kind):
    archive = tarred(tmp_path / "a.tar.gz", {"good": b"1", "odd": b""}, {"odd": kind})
    refused(archive, tmp_path, "'odd', which is a link, a device")


def test_a_link_cannot_be_written_through(tmp_path):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as made:
        link = tarfile.TarInfo("sub")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        made.addfile(link)
        inner = tarfile.TarInfo("sub/evil")
        inner.size = 1
        made.addfile(inner, io.BytesIO(b"x"))
    refused(archive, tmp_path, "link")
    assert not (tmp_path / "evil").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [zipped, tarred])
def test_one_name_twice_is_refused(tmp_path, make):
    refused(make(tmp_path / "a", {"x": b"1", "./x": b"2"}), tmp_path, "twice")
    refused(make(tmp_path / "b", {"x": b"1", "x/y": b"2"}), tmp_path, "twice")


@pytest.mark.parametrize("make", [zipped, tarred])
def test_bombs_are_refused(tmp_path, make):
    bomb = make(tmp_path / "bomb", {f"{n}.tif": bytes(10**6) for n in range(5)})
    tight = Limits(ratio=100, small=1000)
    refused(bomb, tmp_path, "becomes more than .* bytes", limits=tight)
    refused(bomb, tmp_path, "becomes more than 2,000,000 bytes", limits=Limits(size=2 * 10**6))
    refused(bomb, tmp_path, "more than 4 files", limits=Limits(files=4))
    assert len(unpack(bomb, tmp_path / "plate", work=tmp_path / "work")) == 5


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path):
    bomb = zipped(tmp_path / "bomb", {"a.tif": bytes(10**6)})
    raw = bomb.read_bytes()
    true, lie = (10**6).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert raw.count(true) == 2
    bomb.write_bytes(raw.replace(true, lie))
    refused(bomb, tmp_path, "more than|damaged", limits=Limits(ratio=1, small=1000))


def test_no_room_is_told_before_a_zip_is_unpacked(tmp_path, monkeypatch):
    archive = zipped(tmp_path / "a.zip", MEMBERS)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    refused(archive, tmp_path, "no room for what a.zip unpacks to")


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_damaged_archives_are_refused(tmp_path, mode):
    members = {name: data * 50 for name, data in MEMBERS.items()}
    make = (
        tarred(tmp_path / "a", members, mode=mode)
        if mode != "zip"
        else zipped(tmp_path / "a", members)
    )
    whole = make.read_bytes()
    for cut in (len(whole) // 2, 30):
        make.write_bytes(whole[:cut])
        refused(make, tmp_path, "cannot be unpacked")
    make.write_bytes(b"<html>not found</html>")
    refused(make, tmp_path, "cannot be unpacked")
    make.write_bytes(b"")
    refused(make, tmp_path, "cannot be unpacked|holds no file")


def test_a_changed_byte_in_a_zip_is_noticed(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": b"0123456789"}, packing=zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"0123456789", b"0123456780"))
    refused(archive, tmp_path, "Bad CRC-32")


def test_encrypted_zips_are_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": b"secret"})
    raw = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    archive.write_bytes(bytes(raw))
    refused(archive, tmp_path, "encrypted")

"""Downloads from a local server: resumed, checked, recorded, in parallel, killed."""

import errno
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from cellssl.datasets import get_data, verify_data
from cellssl.datasets.downloads import transfer
from cellssl.errors import CellsslError, DataError

from .makers import write_zip
from .server import serve, write_manifest

DATA = random.Random(0).randbytes(200_000)


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(transfer, "_WAIT", 0.001)
    with serve() as running:
        yield running


def md5(data):
    return f"md5:{hashlib.md5(data).hexdigest()}"


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def one(tmp_path, site, data=DATA, checksum=None, size=None, name="a.bin", served=None, **how):
    """A manifest of one file; `served` is what the server has instead of `data`."""
    file = {"addresses": [site.put(name, data if served is None else served, **how)]}
    extra = {"checksum": checksum, "size": size}
    file |= {key: value for key, value in extra.items() if value}
    return write_manifest(tmp_path, {"all": [file]})


def recorded(folder):
    return json.loads((folder / "checksums.json").read_text())["files"]


def begin(folder, data, tag=None, name="a.bin"):
    """Leave a part, as a killed download does."""
    work = folder / ".downloading"
    work.mkdir(parents=True)
    (work / f"{name}.part").write_bytes(data)
    if tag is not None:
        (work / f"{name}.part.tag").write_text(tag)


@pytest.mark.parametrize("checksum", [md5(DATA), sha256(DATA), sha256(DATA)[:15], None])
def test_a_file_is_downloaded_checked_and_recorded(tmp_path, site, checksum):
    manifest = one(tmp_path, site, checksum=checksum, size=len(DATA))
    out = tmp_path / "new" / "out"
    obtained = get_data(manifest, out)
    assert (out / "a.bin").read_bytes() == DATA
    assert sorted(path.name for path in out.iterdir()) == [".lock", "a.bin", "checksums.json"]
    assert recorded(out)["a.bin"] == {
        "size": len(DATA),
        "sha256": sha256(DATA).removeprefix("sha256:"),
        "address": f"{site.address}/a.bin",
    }
    full = checksum in (md5(DATA), sha256(DATA))
    assert obtained.unpublished == ([] if full else ["a.bin"])
    assert verify_data(manifest, out).findings == []


def test_what_is_there_is_not_asked_for_again(tmp_path, site):
    manifest = one(tmp_path, site)
    assert get_data(manifest, tmp_path).got == ["a.bin"]
    again = get_data(manifest, tmp_path)
    assert (again.got, again.found) == ([], ["a.bin"])
    assert len(site.asked) == 1


@pytest.mark.parametrize("tagged", [True, False])
def test_a_download_goes_on_by_range(tmp_path, site, tagged):
    checksum = None if tagged else md5(DATA)
    manifest = one(tmp_path, site, checksum=checksum, tagged=tagged)
    begin(tmp_path, DATA[:150_000], site.pages["a.bin"].tag if tagged else None)
    get_data(manifest, tmp_path)
    assert site.asked == [("a.bin", "bytes=150000-")]
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_without_ranges_it_begins_anew(tmp_path, site):
    manifest = one(tmp_path, site, ranges=False)
    begin(tmp_path, b"x" * 150_000, site.pages["a.bin"].tag)
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_part_of_another_version_is_not_continued(tmp_path, site):
    manifest = one(tmp_path, site)
    begin(tmp_path, b"x" * 150_000, '"yesterday"')
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_part_that_nothing_vouches_for_is_not_continued(tmp_path, site):
    manifest = one(tmp_path, site, tagged=False)
    begin(tmp_path, b"x" * 150_000)
    get_data(manifest, tmp_path)
    assert site.asked == [("a.bin", "")]
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_part_that_is_whole_already_is_taken(tmp_path, site):
    manifest = one(tmp_path, site, checksum=md5(DATA))
    begin(tmp_path, DATA, site.pages["a.bin"].tag)
    get_data(manifest, tmp_path)
    assert site.asked == [("a.bin", f"bytes={len(DATA)}-")]
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_part_that_is_too_long_begins_anew(tmp_path, site):
    manifest = one(tmp_path, site, checksum=md5(DATA))
    begin(tmp_path, DATA + b"more", site.pages["a.bin"].tag)
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_wrong_part_is_found_out_by_the_checksum_and_the_next_attempt_is_right(tmp_path, site):
    manifest = one(tmp_path, site, checksum=md5(DATA))
    begin(tmp_path, b"x" * 150_000, site.pages["a.bin"].tag)
    with pytest.raises(DataError, match=r"is not the file with md5:.* and was deleted"):
        get_data(manifest, tmp_path)
    assert not (tmp_path / "a.bin").exists()
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("sized", [True, False])
def test_answers_that_break_off_are_continued(tmp_path, site, sized):
    manifest = one(tmp_path, site, sized=sized, cuts=[50_000, 50_000, 0, 50_000])
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    starts = [int(asked.strip("bytes=-") or 0) for _, asked in site.asked]
    assert len(starts) == 5
    assert starts == sorted(starts)
    assert starts[-1] > 100_000


def test_without_ranges_answers_that_break_off_end_in_an_error(tmp_path, site):
    manifest = one(tmp_path, site, ranges=False, cuts=[50_000] * 9)
    with pytest.raises(
        DataError, match=r"fetch http.*a\.bin where there is a network\n.*put it at"
    ):
        get_data(manifest, tmp_path)
    assert len(site.asked) < 9
    assert not (tmp_path / "a.bin").exists()


def test_a_busy_server_is_asked_again(tmp_path, site):
    manifest = one(tmp_path, site, statuses=[503, 429])
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_missing_file_is_told_at_once(tmp_path, site, status):
    manifest = one(tmp_path, site, statuses=[status] * 3)
    with pytest.raises(DataError, match=rf"a\.bin: {status} "):
        get_data(manifest, tmp_path)
    assert len(site.asked) == 1


@pytest.mark.parametrize("checksum", [md5(DATA), sha256(DATA), sha256(DATA)[:15]])
def test_a_wrong_checksum_is_refused(tmp_path, site, checksum):
    manifest = one(tmp_path, site, checksum=checksum, served=DATA[::-1])
    with pytest.raises(DataError, match=r"1 of 1 files could not be had.*\n.*deleted"):
        get_data(manifest, tmp_path)
    assert not (tmp_path / "a.bin").exists()
    assert not list((tmp_path / ".downloading").glob("a.bin"))
    assert not (tmp_path / "checksums.json").exists()


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("served", [DATA[:-1], DATA + b"x"])
def test_another_size_is_refused(tmp_path, site, served, sized):
    manifest = one(tmp_path, site, size=len(DATA), served=served, sized=sized)
    with pytest.raises(
        DataError, match=r"bytes, wanted|more than|of 200,000 bytes|published are 200,000"
    ):
        get_data(manifest, tmp_path)
    assert not (tmp_path / "a.bin").exists()


def test_a_gz_stays_packed_whatever_the_server_calls_it(tmp_path, site):
    packed = gzip.compress(b"digits")
    manifest = one(tmp_path, site, packed, checksum=md5(packed), name="a.gz", encoding="gzip")
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == packed


def test_the_next_address_is_tried(tmp_path, site):
    wrong, right = site.put("wrong.bin", DATA[::-1]), site.put("right.bin", DATA)
    nowhere = f"{site.address}/nowhere.bin"
    file = {"addresses": [nowhere, wrong, right], "name": "a.bin", "checksum": md5(DATA)}
    get_data(write_manifest(tmp_path, {"all": [file]}), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert recorded(tmp_path)["a.bin"]["address"] == right


def _offline(tmp_path, checksum=None):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    files = [
        {"addresses": [f"{address}/{n}.bin"], **({"checksum": checksum} if checksum else {})}
        for n in "abc"
    ]
    return write_manifest(tmp_path, {"all": files}), address


@pytest.mark.parametrize("checksum", [md5(DATA), None])
def test_offline_files_can_be_put_there_by_hand(tmp_path, monkeypatch, checksum):
    monkeypatch.setattr(transfer, "_WAIT", 0.001)
    manifest, address = _offline(tmp_path, checksum)
    out = tmp_path / "my data"
    with pytest.raises(DataError) as raised:
        get_data(manifest, out)
    assert isinstance(raised.value, CellsslError)
    for name in "abc":
        assert f"fetch {address}/{name}.bin where there is a network" in str(raised.value)
        assert f"put it at {out}/{name}.bin, and give the same command again" in str(raised.value)
    assert "Connection refused" in str(raised.value)
    for name in "abc":
        (out / f"{name}.bin").write_bytes(DATA)
    before = verify_data(manifest, out)
    assert before.findings == []
    assert any("no checksum is published or recorded" in note for note in before.notes) is (
        checksum is None
    )
    obtained = get_data(manifest, out)
    assert sorted(obtained.got) == ["a.bin", "b.bin", "c.bin"]
    assert recorded(out)["a.bin"]["address"] == ""
    assert verify_data(manifest, out).notes == []


def test_a_wrong_file_put_there_by_hand_is_neither_taken_nor_overwritten(tmp_path, site):
    manifest = one(tmp_path, site, checksum=md5(DATA))
    (tmp_path / "a.bin").write_bytes(b"mine")
    with pytest.raises(
        DataError,
        match=r"has md5 .*, published is .*: it is damaged or another file; delete it \(rm ",
    ):
        get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == b"mine"
    assert site.asked == []


def test_the_first_download_is_held_against_ever_after(tmp_path, site):
    manifest = one(tmp_path, site)
    get_data(manifest, tmp_path)
    (tmp_path / "a.bin").unlink()
    site.put("a.bin", DATA[::-1])
    with pytest.raises(
        DataError,
        match=r"checksum of its first download.*delete the entry 'a\.bin' in checksums\.json",
    ):
        get_data(manifest, tmp_path)
    assert not (tmp_path / "a.bin").exists()
    site.put("a.bin", DATA)
    get_data(manifest, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_damaged_record_is_told(tmp_path, site):
    manifest = one(tmp_path, site)
    get_data(manifest, tmp_path)
    for text in ("{", '{"files": {"a.bin": {"size": -1, "sha256": "0"}}}', "[]"):
        (tmp_path / "checksums.json").write_text(text)
        with pytest.raises(DataError, match=r"checksums\.json is no record of downloads"):
            get_data(manifest, tmp_path)


def test_files_come_in_parallel_and_one_failure_stops_no_other(tmp_path, site):
    names = [f"{n}.bin" for n in range(8)]
    files = [{"addresses": [site.put(name, DATA[:40_000], pause=0.01)]} for name in names]
    site.pages["3.bin"].statuses = [404]
    manifest = write_manifest(tmp_path, {"all": files})
    with pytest.raises(DataError, match="1 of 8 files could not be had"):
        get_data(manifest, tmp_path, workers=4)
    assert site.most > 1
    assert sorted(recorded(tmp_path)) == [name for name in names if name != "3.bin"]
    assert get_data(manifest, tmp_path, workers=1).got == ["3.bin"]


def _plate(tmp_path, site, **how):
    members = {f"one/{n}.tif": DATA[n * 1000 : (n + 20) * 1000] for n in range(9)}
    data = write_zip(tmp_path / "made" / "one.zip", members).read_bytes()
    files = [{"addresses": [site.put("one.zip", data, **how)], "unpack": "one"}]
    return write_manifest(tmp_path, {"one": files}), members, data


def test_archives_are_unpacked_recorded_and_deleted(tmp_path, site):
    manifest, members, data = _plate(tmp_path, site)
    out = tmp_path / "out"
    get_data(manifest, out)
    assert {f"one/{path.name}": path.read_bytes() for path in (out / "one").iterdir()} == members
    assert sorted(path.name for path in out.iterdir()) == [".lock", "checksums.json", "one"]
    entry = recorded(out)["one.zip"]
    assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    assert len(entry["unpacked"]) == 9
    assert get_data(manifest, out).found == ["one.zip"]
    assert len(site.asked) == 1
    (out / "one" / "3.tif").unlink()
    get_data(manifest, out)
    assert (out / "one" / "3.tif").read_bytes() == members["one/3.tif"]


def test_an_archive_put_there_by_hand_is_unpacked_and_stays(tmp_path, site):
    manifest, members, data = _plate(tmp_path, site)
    out = tmp_path / "out"
    out.mkdir()
    (out / "one.zip").write_bytes(data)
    assert "not unpacked yet" in verify_data(manifest, out).notes[0]
    get_data(manifest, out)
    assert site.asked == []
    assert (out / "one.zip").exists()
    assert len(list((out / "one").iterdir())) == len(members)


def test_a_page_instead_of_an_archive_is_refused_and_the_next_attempt_is_right(tmp_path, site):
    manifest, members, data = _plate(tmp_path, site)
    site.put("one.zip", b"<html>moved</html>")
    with pytest.raises(DataError, match=r"cannot be unpacked .*the download was deleted"):
        get_data(manifest, tmp_path)
    site.put("one.zip", data)
    get_data(manifest, tmp_path)
    assert len(list((tmp_path / "one").iterdir())) == len(members)


def test_an_evil_archive_is_refused_and_its_download_kept_out(tmp_path, site):
    data = write_zip(tmp_path / "made" / "one.zip", {"../evil": b"x"}).read_bytes()
    files = [{"addresses": [site.put("one.zip", data)], "unpack": "one"}]
    with pytest.raises(DataError, match="lead out of its folder"):
        get_data(write_manifest(tmp_path, {"one": files}), tmp_path / "out")
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "out" / "evil").exists()
    assert not (tmp_path / "out" / "one").exists()


def test_no_room_is_told_before_it_is_filled(tmp_path, site, monkeypatch):
    manifest = one(tmp_path, site)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(
        DataError, match=r"no room for a\.bin: .* Make room there and give the same command again"
    ):
        get_data(manifest, tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")  # noqa: PTH110
def test_a_full_disk_is_told(tmp_path, site):
    manifest = one(tmp_path, site)
    (tmp_path / ".downloading").mkdir()
    (tmp_path / ".downloading" / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"no room for a\.bin: .* Make room there"):
        get_data(manifest, tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_while_unpacking_is_told_and_the_download_kept(
    tmp_path, site, monkeypatch, number
):
    manifest, members, _ = _plate(tmp_path, site)

    def full(*_):
        raise OSError(number, "full")

    with monkeypatch.context() as patch:
        patch.setattr("cellssl.datasets.downloads.unpacking._copy", full)
        with pytest.raises(DataError, match=r"no room for one\.zip"):
            get_data(manifest, tmp_path)
    assert not (tmp_path / "one").exists()
    get_data(manifest, tmp_path)
    assert len(site.asked) == 1  # the archive was there
    assert len(list((tmp_path / "one").iterdir())) == len(members)


def test_two_processes_on_one_folder_do_not_mix(tmp_path, site):
    from cellssl.files import locked

    manifest = one(tmp_path, site)
    with locked(tmp_path), pytest.raises(CellsslError, match="another process is working on"):
        get_data(manifest, tmp_path)


def _start(manifest, out):
    code = "import sys; from cellssl.datasets import get_data; get_data(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(manifest), str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_a_killed_download_goes_on_where_it_stopped(tmp_path, site):
    manifest = one(tmp_path, site, pause=0.02)
    out, part = tmp_path / "out", tmp_path / "out" / ".downloading" / "a.bin.part"
    process = _start(manifest, out)
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 50_000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (out / "a.bin").exists()
    have = part.stat().st_size
    site.pages["a.bin"].pause = 0
    get_data(manifest, out)
    assert site.asked[-1] == ("a.bin", f"bytes={have}-")
    assert (out / "a.bin").read_bytes() == DATA


def test_killed_at_any_moment_the_same_command_ends_as_undisturbed(tmp_path, site):
    files = {}
    for plate in "pqr":
        members = {f"{plate}/{n}.tif": DATA[n * 100 : n * 100 + 20_000] for n in range(40)}
        data = write_zip(tmp_path / "made" / f"{plate}.zip", members).read_bytes()
        files[plate] = [
            {"addresses": [site.put(f"{plate}.zip", data, pause=0.004)], "unpack": plate}
        ]
    manifest = write_manifest(tmp_path, files)
    undisturbed = get_data(manifest, tmp_path / "undisturbed").folder
    out, kills, chance = tmp_path / "out", 0, random.Random(1)
    for attempt in range(40):
        process = _start(manifest, out)
        while process.poll() is None and not (out / ".lock").exists():
            time.sleep(0.01)
        try:
            error = process.communicate(timeout=chance.random() * (0.5 + attempt / 4))[1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, error.decode()
        break
    assert kills >= 1
    assert _tree(out) == _tree(undisturbed)
    assert verify_data(manifest, out).findings == []
    assert not (out / ".downloading").exists()


def test_an_archive_that_a_kill_left_behind_is_removed(tmp_path, site):
    manifest, out = one(tmp_path, site), tmp_path / "out"
    get_data(manifest, out)
    (left := out / ".downloading" / "a.bin").parent.mkdir()
    left.write_bytes(DATA)  # killed between the record and the removal
    get_data(manifest, out)
    assert not left.parent.exists()


def _tree(folder):
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    everything = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    everything["checksums.json"] = recorded(folder)
    return everything


def test_an_interrupted_call_stops_all_its_threads(tmp_path, site, monkeypatch):
    files = [{"addresses": [site.put(f"{n}.bin", DATA, pause=0.05)]} for n in range(6)]
    manifest = write_manifest(tmp_path, {"all": files})

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cellssl.datasets.downloads.getting.as_completed", interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        get_data(manifest, tmp_path, workers=2)
    assert time.monotonic() - start < 2  # whole, two at a time, they would take 7 seconds

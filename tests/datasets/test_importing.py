import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cellssl.crops import Crops
from cellssl.datasets import import_images, importing as importing_module
from cellssl.errors import CropError

from .makers import noise, png, write_folder, write_mnist, write_zip


def _pets(seed=0, size=(8, 8, 3)):
    """Members of an archive: two classes of two pictures, and what archives hold besides."""
    names = ["dog/10.png", "dog/2.png", "cat/1.png", "cat/3.png"]
    pictures = {name: noise(seed + at, size) for at, name in enumerate(names)}
    extra = {"__MACOSX/cat/._1.png": b"x", "cat/.DS_Store": b"x", "cat/": b"", "readme.txt": b"hi"}
    return pictures, {**{name: png(pixels) for name, pixels in pictures.items()}, **extra}


def _problems(path):
    return pd.read_csv(path.with_name(f"{path.stem}.problems.csv"), keep_default_na=False)


def _write_windows_zip(path, members):
    """As packers of old on Windows part names: by backslashes."""
    return write_zip(path, {name.replace("/", "\\"): data for name, data in members.items()})


@pytest.mark.parametrize("write", [write_zip, _write_windows_zip, write_folder])
def test_pictures_in_class_folders(tmp_path, write):
    pictures, members = _pets()
    if write is write_folder:
        members.pop("cat/")
    source = write(tmp_path / ("pets" if write is write_folder else "pets.zip"), members)
    path = import_images(source, tmp_path / "out" / "pets.h5ad")
    crops = Crops.open(path)
    order = ["cat/1.png", "cat/3.png", "dog/2.png", "dog/10.png"]
    assert crops.channels == ("Red", "Green", "Blue")
    assert crops.dtype == np.uint8
    assert crops.obs.index.tolist() == [f"pets/{name}" for name in order]
    assert crops.obs["Metadata_Class"].tolist() == ["cat", "cat", "dog", "dog"]
    assert crops.obs.columns.tolist() == ["Metadata_Plate", "Metadata_Class"]
    assert set(crops.plates) == {"pets"}
    for row, name in enumerate(order):
        np.testing.assert_array_equal(crops.read([row])[0], pictures[name].transpose(2, 0, 1))
    assert _problems(path).empty
    assert {file.name for file in tmp_path.rglob("*") if file.is_file()} >= {"pets.h5ad"}


def test_pictures_of_formats_that_are_not_read_are_told(tmp_path, caplog):
    members = {"cat/1.png": png(noise(0)), "cat/2.WebP": b"x", "dog/3.gif": b"x", "notes.txt": b"x"}
    import_images(write_folder(tmp_path / "pets", members), tmp_path / "pets.h5ad")
    [told] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "2 pictures are of formats that are not read (e.g. cat/2.WebP) and are left out" in told


def test_train_and_test_archives_are_joined_and_names_stay(tmp_path):
    _, train = _pets(0)
    _, test = _pets(4)
    sources = [
        write_zip(tmp_path / "pets" / "test.zip", test),
        write_zip(tmp_path / "pets" / "train.zip", train),
    ]
    both = Crops.open(import_images(sources, tmp_path / "both.h5ad"))
    alone = Crops.open(import_images(sources[0], tmp_path / "alone.h5ad"))
    assert both.obs["Metadata_Split"].tolist() == ["train"] * 4 + ["test"] * 4
    assert both.obs.index[0] == "pets/train/cat/1.png"
    assert set(both.plates) == {"pets"}  # one plate: scores are kept apart by split, not by plate
    assert alone.obs.index.tolist() == both.obs.index[4:].tolist()
    np.testing.assert_array_equal(alone.read(), both.read(slice(4, 8)))


def test_pictures_in_train_and_test_alike_are_said(tmp_path, caplog):
    _, train = _pets(0)
    _, test = _pets(4)
    sources = [write_zip(tmp_path / "pets" / "train.zip", train)]
    sources += [write_zip(tmp_path / "pets" / "test.zip", test)]
    import_images(sources, tmp_path / "new.h5ad")
    assert "in the training set too" not in caplog.text
    write_zip(sources[1], {**test, "cat/9.png": train["dog/2.png"]})
    import_images(sources, tmp_path / "again.h5ad")
    assert (
        "1 of 5 pictures of the test or validation set are in the training set too" in caplog.text
    )
    assert "pets/test/cat/9.png is pets/train/dog/2.png" in caplog.text


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    source = write_zip(tmp_path / "pets.zip", _pets()[1])
    first = import_images(source, tmp_path / "a.h5ad").read_bytes()
    assert import_images([source], tmp_path / "b.h5ad").read_bytes() == first


def test_pictures_without_folders_are_unlabelled(tmp_path):
    source = write_folder(tmp_path / "walk", {f"{n}.png": png(noise(n)) for n in range(3)})
    crops = Crops.open(import_images(source, tmp_path / "w.h5ad"))
    assert crops.obs.columns.tolist() == ["Metadata_Plate"]
    assert crops.obs.index.tolist() == ["walk/0.png", "walk/1.png", "walk/2.png"]


def test_a_name_may_be_given_and_the_result_be_a_folder(tmp_path):
    source = write_zip(tmp_path / "train.zip", _pets()[1])
    path = import_images(source, tmp_path / "set", name="zoo")
    assert path == tmp_path / "set" / "crops.h5ad"
    assert Crops.open(path).obs.index[0] == "zoo/train/cat/1.png"


def test_batches_join_without_seam(tmp_path, monkeypatch):
    monkeypatch.setattr(importing_module, "_BATCH", 3)
    pictures = {f"{n}.png": noise(n, (4, 4)) for n in range(8)}
    source = write_folder(tmp_path / "g", {name: png(p) for name, p in pictures.items()})
    crops = Crops.open(import_images(source, tmp_path / "g.h5ad"))
    assert crops.channels == ("Grey",)
    np.testing.assert_array_equal(crops.read()[:, 0], np.stack(list(pictures.values())))


def test_large_pictures_are_decoded_in_threads_in_order(tmp_path):
    values = range(0, 200, 20)
    flat = {f"{v}.png": png(np.full((200, 260, 3), v, np.uint8)) for v in values}
    crops = Crops.open(
        import_images(write_zip(tmp_path / "l.zip", flat), tmp_path / "l.h5ad", size=4)
    )
    assert crops.read()[:, 0, 0, 0].tolist() == list(values)


def test_sizes_that_differ_are_named_and_mended_by_size(tmp_path, caplog):
    members = {f"a/{n}.png": png(noise(n, (10, 12, 3))) for n in range(3)}
    members["b/0.png"] = png(noise(9, (6, 20, 3)))
    source = write_zip(tmp_path / "s.zip", members)
    with pytest.raises(CropError, match=r"12×10 \(3\), 20×6 \(1\)\. Give --size N .*side is 6$"):
        import_images(source, tmp_path / "s.h5ad")
    assert not (tmp_path / "s.h5ad").exists()
    crops = Crops.open(import_images(source, tmp_path / "s.h5ad", size=8))
    assert crops.shape == (4, 3, 8, 8)
    assert "1 pictures are smaller than 8 px and are enlarged" in caplog.text


def test_oblong_pictures_of_one_size_want_a_size_too(tmp_path):
    source = write_zip(tmp_path / "s.zip", {"1.png": png(noise(1, (6, 9)))})
    with pytest.raises(CropError, match=r"squares of one size; met 9×6 \(1\)"):
        import_images(source, tmp_path / "s.h5ad")
    with pytest.raises(CropError, match=r"size: wanted .* 1 or more, got 0"):
        import_images(source, tmp_path / "s.h5ad", size=0)


def test_one_picture_in_colour_makes_all_colour(tmp_path):
    grey = noise(0, (8, 8))
    source = write_zip(tmp_path / "m.zip", {"1.png": png(grey), "2.png": png(noise(1))})
    crops = Crops.open(import_images(source, tmp_path / "m.h5ad"))
    assert crops.channels == ("Red", "Green", "Blue")
    np.testing.assert_array_equal(crops.read([0])[0], np.stack([grey] * 3))


def test_conversions_are_counted_and_kept(tmp_path, caplog):
    caplog.set_level("INFO")
    ink, glass = Image.new("CMYK", (8, 8), (255, 0, 0, 0)), noise(2, (8, 8, 4))
    streams = {"ink.jpg": io.BytesIO(), "turned.jpg": io.BytesIO()}
    ink.save(streams["ink.jpg"], "JPEG")
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(noise(3)).save(streams["turned.jpg"], "JPEG", exif=exif)
    members = {name: stream.getvalue() for name, stream in streams.items()}
    members |= {"glass.png": png(glass), "plain.png": png(noise(4))}
    members |= {f"grey{n}.png": png(noise(n, (8, 8))) for n in range(2)}
    source = write_zip(tmp_path / "m.zip", members)
    crops = Crops.open(import_images(source, tmp_path / "m.h5ad"))
    said = [
        "1 of 6 pictures are CMYK: converted to RGB without their colour profile",
        "2 of 6 pictures are grey: repeated in red, green and blue",
        "1 of 6 pictures are stored turned: set upright as EXIF says",
        "1 of 6 pictures are with transparency: laid on white",
    ]
    assert crops.uns["cellssl"]["segmenter"]["settings"]["changes"].tolist() == said
    assert [line for line in caplog.messages if " of 6 " in line] == said


def test_folders_that_are_no_classes_are_doubted(tmp_path, caplog):
    """Tiny ImageNet has classes below train, and one folder ``images`` below val."""
    members = {f"train/{kind}/images/1.png": png(noise(0)) for kind in ("n01", "n02")}
    source = write_zip(tmp_path / "t.zip", {**members, "val/images/1.png": png(noise(1))})
    import_images(source, tmp_path / "t.h5ad")
    assert "t: 1 of 1 classes of val are none of train, e.g. 'images'" in caplog.text
    caplog.clear()
    source = write_zip(tmp_path / "u.zip", {**members, "val/n02/1.png": png(noise(1))})
    import_images(source, tmp_path / "u.h5ad")
    assert "none of train" not in caplog.text


def test_16_bits_stay_and_are_not_mixed_with_8(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)
    crops = Crops.open(
        import_images(write_zip(tmp_path / "d.zip", {"1.png": png(deep)}), tmp_path / "d.h5ad")
    )
    assert (crops.dtype, crops.channels) == (np.uint16, ("Grey",))
    np.testing.assert_array_equal(crops.read()[0, 0], deep)
    mixed = write_zip(tmp_path / "x.zip", {"1.png": png(deep), "2.png": png(noise(0, (8, 8)))})
    with pytest.raises(CropError, match=r"16-bit grey \(e\.g\. x/1.png\) and 1 have 8 bits"):
        import_images(mixed, tmp_path / "x.h5ad")


def _damaged():
    """Four pets: one fine, one cut behind its header, one cut within, one no picture."""
    _, members = _pets()
    broken = png(noise(5, (8, 8, 3)))
    return {
        **members,
        "cat/1.png": broken[:-30],
        "dog/2.png": broken[:10],
        "dog/10.png": b"<html>not found</html>",
    }


@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_broken_pictures_are_named_counted_and_left_out(tmp_path, caplog, write):
    members = _damaged()
    members.pop("cat/")
    source = write(tmp_path / ("pets.zip" if write is write_zip else "pets"), members)
    path = import_images(source, tmp_path / "p.h5ad")
    assert Crops.open(path).obs.index.tolist() == ["pets/cat/3.png"]
    problems = _problems(path)
    assert sorted(problems["Picture"]) == ["cat/1.png", "dog/10.png", "dog/2.png"]
    assert problems["Problem"].str.contains("broken").all()
    assert "3 pictures cannot be used and are left out" in caplog.text
    assert "p.problems.csv" in caplog.text


@pytest.mark.parametrize("cut", [10, -30])
def test_no_file_is_made_when_no_picture_is_left(tmp_path, cut):
    source = write_zip(tmp_path / "b.zip", {"1.png": png(noise(0))[:cut]})
    with pytest.raises(
        CropError, match=r"no picture is left: all 1 .* 1\.png of .*b\.zip: broken|no JPEG"
    ):
        import_images(source, tmp_path / "b.h5ad")
    assert [file.name for file in tmp_path.iterdir()] == ["b.zip"]


def test_a_member_with_a_wrong_checksum_is_left_out(tmp_path):
    source = write_zip(tmp_path / "c.zip", {"1.png": png(noise(0)), "2.png": png(noise(1))})
    data = bytearray(source.read_bytes())
    data[data.index(png(noise(1))) + 60] ^= 255
    source.write_bytes(data)
    path = import_images(source, tmp_path / "c.h5ad")
    assert Crops.open(path).obs.index.tolist() == ["c/1.png"]
    assert "cannot be read from the archive" in _problems(path)["Problem"].item()


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (6, 255),  # a version of zip that is not there yet
        (46, 0),  # a member without a name
    ],
)
def test_a_damaged_directory_of_an_archive_is_a_crop_error(tmp_path, at, value):
    source = write_zip(tmp_path / "d.zip", {"1.png": png(noise(0))})
    data = bytearray(source.read_bytes())
    data[data.index(b"PK\x01\x02") + at] = value
    source.write_bytes(data)
    with pytest.raises(CropError, match=r"d\.zip (cannot be read as a zip|holds no picture)"):
        import_images(source, tmp_path / "d.h5ad")


def test_a_bomb_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 70)
    members = {"a.png": png(noise(0)), "b.png": png(noise(0, (9, 9, 3)))}
    path = import_images(write_zip(tmp_path / "b.zip", members), tmp_path / "b.h5ad")
    assert Crops.open(path).obs.index.tolist() == ["b/a.png"]
    assert "decompression bomb" in _problems(path)["Problem"].item()


def test_two_pictures_of_one_name_are_refused(tmp_path):
    sources = [write_zip(tmp_path / f / "pets.zip", _pets()[1]) for f in "ab"]
    with pytest.raises(CropError, match=r"would both be called 'pets/.*--name"):
        import_images(sources, tmp_path / "p.h5ad")
    with pytest.raises(CropError, match="would both be called"):
        import_images([sources[0], sources[0]], tmp_path / "p.h5ad")
    spelled = {"val/a/1.png": png(noise(0)), "Validation/a/1.png": png(noise(1))}
    with pytest.raises(CropError, match=r"'v/val/a/1\.png'"):
        import_images(write_zip(tmp_path / "v.zip", spelled), tmp_path / "p.h5ad")
    with pytest.raises(CropError, match=r"without '/'; got 'a/b'"):
        import_images(sources[0], tmp_path / "p.h5ad", name="a/b")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_member_written_twice_is_one_picture(tmp_path):
    source = write_zip(tmp_path / "z.zip", {"1.png": png(noise(0))})
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("1.png", png(noise(1)))
    crops = Crops.open(import_images(source, tmp_path / "z.h5ad"))
    np.testing.assert_array_equal(crops.read()[0], noise(1).transpose(2, 0, 1))


def test_the_folder_one_is_in_has_its_own_name(tmp_path, monkeypatch):
    write_folder(tmp_path / "pets" / "train", {"cat/1.png": png(noise(0))})
    for place, source in (("pets/train", "."), ("pets/train/cat", "..")):
        monkeypatch.chdir(tmp_path / place)
        obs = Crops.open(import_images(source, tmp_path / "here.h5ad")).obs
        assert obs.index.tolist() == ["pets/train/cat/1.png"]


def test_data_sets_of_different_kinds_join(tmp_path):
    write_mnist(tmp_path / "digits", packed=True)
    pets = write_zip(tmp_path / "pets.zip", _pets()[1])
    path = import_images([pets, tmp_path / "digits"], tmp_path / "j.h5ad", size=6)
    crops = Crops.open(path)
    assert crops.shape == (11, 3, 6, 6)
    assert crops.obs["Metadata_Split"].value_counts().to_dict() == {"train": 5, "": 4, "test": 2}
    assert set(crops.plates) == {"digits", "pets"}


def test_sources_that_are_none_say_what_is_wanted(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.npz").write_bytes(b"x")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 cut off")
    (tmp_path / "one.png").write_bytes(png(noise(0)))
    write_zip(tmp_path / "text.zip", {"a.txt": b"a"})
    write_zip(tmp_path / "shelf" / "train.zip", _pets()[1])

    def attempt(source):
        import_images(source, tmp_path / "o.h5ad")

    for source, said in {
        "absent": "nothing at .*absent; wanted a folder",
        "empty": "holds no picture; wanted",
        "x.npz": "nothing that pictures are read from",
        "cut.zip": "no zip archive by its content",
        "one.png": "one picture: name the folder",
        "text.zip": "holds no picture",
        "shelf": "holds no picture, but train.zip: name the archives",
    }.items():
        with pytest.raises(CropError, match=said):
            attempt(tmp_path / source)
    with pytest.raises(CropError, match="no source"):
        attempt([])


def test_an_encrypted_archive_is_refused(tmp_path):
    source = write_zip(tmp_path / "e.zip", {"1.png": png(noise(0))})
    data = bytearray(source.read_bytes())
    data[6] |= 1  # the flag, in the member's header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    source.write_bytes(data)
    assert zipfile.ZipFile(source).infolist()[0].flag_bits & 1
    with pytest.raises(CropError, match="encrypted: unpack it"):
        import_images(source, tmp_path / "e.h5ad")


def test_links_are_followed_once(tmp_path, caplog):
    write_folder(tmp_path / "store" / "cat", {"1.png": png(noise(0))})
    (tmp_path / "set").mkdir()
    for name in ("cat", "tom"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "store" / "cat")
    (tmp_path / "store" / "cat" / "loop").symlink_to(tmp_path / "set")
    crops = Crops.open(import_images(tmp_path / "set", tmp_path / "l.h5ad"))
    assert crops.obs.index.tolist() == ["set/cat/1.png"]
    assert f"{tmp_path}/set/tom is the same folder as {tmp_path}/set/cat: left out" in caplog.text


def test_real_pictures(data, tmp_path):
    archive = data / "imagenet100_64px" / "val.zip"
    crops = Crops.open(import_images(archive, tmp_path / "v.h5ad"))
    assert crops.shape == (1000, 3, 64, 64)
    assert set(crops.obs["Metadata_Split"]) == {"val"}
    assert crops.obs["Metadata_Class"].value_counts().unique().tolist() == [10]
    name = crops.obs.index[123]
    with zipfile.ZipFile(archive) as members:
        member = members.open(name.removeprefix("imagenet100_64px/val/"))
        pixels = np.asarray(Image.open(member).convert("RGB"))
    np.testing.assert_array_equal(crops.read([123])[0], pixels.transpose(2, 0, 1))


def test_real_digits(data, tmp_path):
    crops = Crops.open(import_images(data / "mnist", tmp_path / "m.h5ad"))
    assert crops.shape == (70000, 1, 28, 28)
    assert crops.obs["Metadata_Split"].value_counts().to_dict() == {"train": 60000, "test": 10000}
    raw = gzip.decompress((data / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    tests = crops.obs[crops.obs["Metadata_Split"] == "test"]
    assert all(
        raw[int(name.rsplit("/")[-1])] == int(kind)
        for name, kind in tests["Metadata_Class"].items()
    )

import shutil

import numpy as np
import pytest

from cellssl.crops import Crops
from cellssl.datasets import import_images
from cellssl.errors import CropError

from .makers import cifar_records, idx, noise, write_folder, write_mnist, write_tar

TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def _by_name(path):
    crops = Crops.open(path)
    return crops, dict(zip(crops.obs.index, crops.read(), strict=True))


@pytest.mark.parametrize("packed", [True, False])
def test_digits_labels_and_splits_of_idx(tmp_path, packed):
    halves = write_mnist(tmp_path / "mnist", packed=packed)
    crops, pixels = _by_name(import_images(tmp_path / "mnist", tmp_path / "m.h5ad"))
    assert crops.channels == ("Grey",)
    assert crops.obs["Metadata_Class"].tolist() == ["0", "0", "3", "3", "9", "1", "9"]
    for half, split in (("train", "train"), ("t10k", "test")):
        images, labels = halves[half]
        for number, label in enumerate(labels):
            name = f"mnist/{split}/{number}"
            np.testing.assert_array_equal(pixels[name][0], images[number])
            assert crops.obs.loc[name, "Metadata_Class"] == str(label)
            assert crops.obs.loc[name, "Metadata_Split"] == split


def test_one_idx_file_keeps_the_names_of_the_whole(tmp_path):
    write_mnist(tmp_path / "mnist", packed=True)
    whole = Crops.open(import_images(tmp_path / "mnist", tmp_path / "m.h5ad")).obs
    file = tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz"
    alone = Crops.open(import_images(file, tmp_path / "t.h5ad")).obs
    assert alone.index.tolist() == [name for name in whole.index if "/test/" in name]


def test_torchvisions_folder_of_packed_and_unpacked_files(tmp_path):
    write_mnist(tmp_path / "MNIST" / "raw", packed=True)
    write_mnist(tmp_path / "MNIST" / "raw", packed=False)
    obs = Crops.open(import_images(tmp_path / "MNIST", tmp_path / "m.h5ad")).obs
    assert len(obs) == 7
    assert obs.index[0] == "MNIST/train/1"


def test_capitals_do_not_count_in_names_of_idx_files(tmp_path):
    write_mnist(tmp_path / "m", packed=False)
    for file in (tmp_path / "m").iterdir():
        file.rename(
            file.with_name(file.name.replace("images", "Images").replace("labels", "LABELS"))
        )
    obs = Crops.open(import_images(tmp_path / "m", tmp_path / "m.h5ad")).obs
    assert obs["Metadata_Class"].tolist() == ["0", "0", "3", "3", "9", "1", "9"]


def test_idx_without_labels_is_unlabelled(tmp_path, caplog):
    write_mnist(tmp_path / "m", packed=False)
    (tmp_path / "m" / "t10k-labels-idx1-ubyte").unlink()
    file = tmp_path / "m" / "t10k-images-idx3-ubyte"
    obs = Crops.open(import_images(file, tmp_path / "m.h5ad")).obs
    assert "Metadata_Class" not in obs
    assert "no labels, since t10k-labels-idx1-ubyte is not there" in caplog.text


def test_damaged_idx_is_refused(tmp_path):
    file = tmp_path / "m" / "train-images-idx3-ubyte"
    labels = tmp_path / "m" / "train-labels-idx1-ubyte"
    write_folder(file.parent, {file.name: b""})

    def attempt(data, said, source=file):
        file.write_bytes(data)
        with pytest.raises(CropError, match=said):
            import_images(source, tmp_path / "m.h5ad")

    whole = idx(noise(0, (3, 4, 4)))
    labels.write_bytes(idx(np.arange(3)))
    attempt(b"", "begins with nothing")
    attempt(b"\x00\x00\x08\x01" + whole[4:], "begins with 00000801, wanted IDX with 3 axes")
    attempt(whole[:-1], "holds 47 bytes, wanted 48 for 3 × 4 × 4")
    attempt(whole + b"x", "holds more bytes")
    attempt(b"\x00\x00\x08\x03" + b"\xff" * 12, "says that it holds")
    attempt(b"\x1f\x8b\x08\x00cut", "cannot be read")
    attempt(whole, "name the pictures", source=labels)
    labels.write_bytes(idx(np.arange(2)))
    attempt(whole, "2 labels, and train-images-idx3-ubyte has 3 pictures")


def _ten(count=4):
    """The files of CIFAR-10's binary version, two batches of it."""
    batches = {
        name: (np.arange(at, at + count) % 10, noise(at, (count, 32, 32, 3)))
        for at, name in enumerate(("data_batch_1", "data_batch_2", "test_batch"))
    }
    files = {f"{name}.bin": cifar_records(y[:, None], x) for name, (y, x) in batches.items()}
    return batches, {**files, "batches.meta.txt": "\n".join([*TEN, "", ""]).encode()}


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_cifar_10(tmp_path, form):
    batches, files = _ten()
    members = {f"cifar-10-batches-bin/{name}": data for name, data in files.items()}
    write = write_folder if form == "folder" else write_tar
    source = write(tmp_path / ("c" if form == "folder" else "cifar-10-binary.tar.gz"), members)
    crops, pixels = _by_name(import_images(source, tmp_path / "c.h5ad"))
    assert crops.channels == ("Red", "Green", "Blue")
    assert "Metadata_Coarse" not in crops.obs
    assert crops.obs["Metadata_Split"].tolist() == ["train"] * 8 + ["test"] * 4
    for batch, (labels, images) in batches.items():
        split = "test" if batch == "test_batch" else "train"
        for number, label in enumerate(labels):
            name = f"cifar10/{split}/{batch}/{number}"
            np.testing.assert_array_equal(pixels[name], images[number].transpose(2, 0, 1))
            assert crops.obs.loc[name, "Metadata_Class"] == TEN[label]
    assert sorted(file.name for file in tmp_path.rglob("*.bin")) == (
        [] if form == "archive" else sorted(name for name in files if name.endswith(".bin"))
    )


def test_one_batch_of_cifar_keeps_its_names(tmp_path):
    _, files = _ten()
    write_folder(tmp_path / "c", files)
    whole = Crops.open(import_images(tmp_path / "c", tmp_path / "c.h5ad")).obs
    alone = Crops.open(import_images(tmp_path / "c" / "test_batch.bin", tmp_path / "t.h5ad")).obs
    assert alone.equals(whole.iloc[8:])


def test_cifar_100_has_coarse_classes(tmp_path):
    fine, coarse = np.array([7, 99, 0]), np.array([19, 0, 3])
    records = cifar_records(np.stack([coarse, fine], axis=1), noise(0, (3, 32, 32, 3)))
    write_folder(
        tmp_path / "cifar-100-binary",
        {
            "train.bin": records,
            "fine_label_names.txt": "\n".join(f"fine{n}" for n in range(100)).encode(),
            "coarse_label_names.txt": "\n".join(f"coarse{n}" for n in range(20)).encode(),
        },
    )
    obs = Crops.open(import_images(tmp_path / "cifar-100-binary", tmp_path / "c.h5ad")).obs
    assert obs.index.tolist() == ["cifar100/train/2", "cifar100/train/0", "cifar100/train/1"]
    assert obs["Metadata_Class"].tolist() == ["fine0", "fine7", "fine99"]
    assert obs["Metadata_Coarse"].tolist() == ["coarse3", "coarse19", "coarse0"]


def test_cifar_without_names_of_classes_has_numbers(tmp_path):
    _, files = _ten()
    write_folder(tmp_path / "c", {"test_batch.bin": files["test_batch.bin"]})
    obs = Crops.open(import_images(tmp_path / "c", tmp_path / "c.h5ad")).obs
    assert obs["Metadata_Class"].tolist() == ["2", "3", "4", "5"]


PICKLED = {
    "cifar-10-batches-py": ("data_batch_1", "batches.meta", "test_batch"),
    "cifar-100-python": ("train", "test", "meta"),
}


@pytest.mark.parametrize("form", ["folder", "archive"])
@pytest.mark.parametrize("version", PICKLED)
def test_pickles_are_refused_with_the_version_that_is_read(tmp_path, form, version):
    members = {f"{version}/{name}": b"\x80\x02}q\x00." for name in PICKLED[version]}
    write = write_folder if form == "folder" else write_tar
    source = write(tmp_path / (version if form == "folder" else f"{version}.tar.gz"), members)
    with pytest.raises(CropError, match=r"python version .*pickles.*get the binary version"):
        import_images(source, tmp_path / "c.h5ad")


def test_one_pickled_file_is_refused_too(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(CropError, match="get the binary version"):
        import_images(tmp_path / "data_batch_1", tmp_path / "c.h5ad")


def test_damaged_cifar_is_refused(tmp_path):
    _, files = _ten()
    folder = write_folder(tmp_path / "c", files)

    def attempt(said, **changed):
        for stem, data in changed.items():
            (folder / f"{stem}.bin").write_bytes(data)
        with pytest.raises(CropError, match=said):
            import_images(folder, tmp_path / "c.h5ad")

    whole = files["test_batch.bin"]
    attempt(r"test_batch.bin\) has 12,291 bytes, wanted a multiple of 3,073", test_batch=whole[:-1])
    attempt("has 0 bytes", test_batch=b"")
    attempt("has a label 200, wanted less than 10", test_batch=bytes([200]) + whole[1:])
    (folder / "batches.meta.txt").write_text("cat\ndog\n")
    attempt("2 names of classes, wanted 10", test_batch=whole)


def test_other_archives_are_refused(tmp_path):
    other = write_tar(tmp_path / "pets.tar.gz", {"cat/1.png": b"x"})
    with pytest.raises(
        CropError, match=r"holds 1\.png, wanted CIFAR's binary version; .* only zip"
    ):
        import_images(other, tmp_path / "o.h5ad")
    cut = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(cut, _ten()[1])
    cut.write_bytes(cut.read_bytes()[:3000])
    with pytest.raises(CropError, match="cannot be read as a tar archive"):
        import_images(cut, tmp_path / "o.h5ad")
    shutil.copy(tmp_path / "pets.tar.gz", tmp_path / "pets.zip")
    with pytest.raises(CropError):
        import_images(tmp_path / "pets.zip", tmp_path / "o.h5ad")

from pathlib import Path

import pytest

from cellssl.datasets.picture import data_set_name, split_of
from cellssl.datasets.pictures import arrange


def _arranged(places, plate="d", split=""):
    pictures = arrange(places.split(), plate, split)
    return ", ".join(f"{p.name} {p.split or '-'} {p.kind or '-'}" for p in pictures)


@pytest.mark.parametrize(
    ("places", "split", "wanted"),
    [
        ("cat/1.png dog/1.png", "", "d/cat/1.png - cat, d/dog/1.png - dog"),
        (
            "cat/1.png dog/2.png",
            "train",
            "d/train/cat/1.png train cat, d/train/dog/2.png train dog",
        ),
        ("1.png 2.png", "test", "d/test/1.png test -, d/test/2.png test -"),
        (
            "train/cat/1.png Validation/cat/1.png",
            "",
            "d/train/cat/1.png train cat, d/val/cat/1.png val cat",
        ),
        # the folder inside says more than the archive's name
        ("test/cat/1.png", "train", "d/test/cat/1.png test cat"),
        # the wrapper that zipping a folder makes
        (
            "w/train/cat/1.png w/test/dog/1.png",
            "",
            "d/train/cat/1.png train cat, d/test/dog/1.png test dog",
        ),
        # the one class of a tiny set is no wrapper
        ("cat/1.png cat/2.png", "", "d/cat/1.png - cat, d/cat/2.png - cat"),
        # Tiny ImageNet's images/ below the class
        (
            "train/n01/images/0.JPEG train/n02/images/0.JPEG",
            "",
            "d/train/n01/images/0.JPEG train n01, d/train/n02/images/0.JPEG train n02",
        ),
        # splits without classes, and a class that happens to be called test
        ("train/1.png test/1.png", "", "d/train/1.png train -, d/test/1.png test -"),
        ("test/1.png control/1.png", "", "d/test/1.png - test, d/control/1.png - control"),
    ],
)
def test_splits_classes_and_names_from_paths(places, split, wanted):
    assert _arranged(places, split=split) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("train", ("", "train")),
        ("imagenet_val", ("imagenet", "val")),
        ("test-pets", ("pets", "test")),
        ("Testing", ("", "test")),
        ("latest", ("latest", "")),
        ("contest", ("contest", "")),
        ("trains", ("trains", "")),
        ("t10k", ("", "test")),
    ],
)
def test_splits_are_whole_words(name, wanted):
    assert split_of(name) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/data/cifar10/train.zip", "cifar10"),
        ("/data/pets_train.zip", "pets"),
        ("/data/pets/train/test.zip", "pets"),
        ("/data/set.v2.zip", "set.v2"),
        ("/data/x/cifar-10-binary.tar.gz", "cifar-10-binary"),
        ("/train.zip", "pictures"),
    ],
)
def test_the_data_set_is_named_by_what_says_something(path, wanted):
    assert data_set_name(Path(path)) == wanted

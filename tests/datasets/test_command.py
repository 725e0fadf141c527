from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import Crops

from .makers import noise, png, write_zip


def _images(*arguments):
    return CliRunner().invoke(app, ["crops", "images", *map(str, arguments)])


def test_archives_on_the_command_line(tmp_path):
    members = {f"{kind}/{n}.png": png(noise(n)) for kind in ("cat", "dog") for n in range(3)}
    train = write_zip(tmp_path / "pets" / "train.zip", members)
    test = write_zip(tmp_path / "pets" / "test.zip", {**members, "cat/0.png": b"cut"})
    out = tmp_path / "pets.h5ad"
    result = _images(train, test, "-o", out, "--size", 6, "--name", "zoo")
    assert result.exit_code == 0, result.output
    assert "11 pictures, channels Red, Green, Blue, 6 px" in result.output
    assert "Split: train 6, test 5" in result.output
    assert "Class: cat 5, dog 6" in result.output
    assert "1 pictures cannot be used and are left out" in result.output
    assert Crops.open(out).obs.index[0] == "zoo/train/cat/0.png"


def test_mistakes_end_in_one_line(tmp_path):
    members = {"1.png": png(noise(0)), "2.png": png(noise(0, (9, 9, 3)))}
    result = _images(write_zip(tmp_path / "a.zip", members), "-o", tmp_path / "o.h5ad")
    assert result.exit_code == 1
    assert "8×8 (1), 9×9 (1). Give --size N" in result.output
    assert _images(tmp_path / "absent", "-o", tmp_path / "o.h5ad").exit_code == 1
    assert not (tmp_path / "o.h5ad").exists()

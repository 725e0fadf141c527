from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.crops import Crops, write_crops


def run(*arguments):
    return CliRunner().invoke(app, ["crops", *map(str, arguments)])


def test_there_and_back_on_the_command_line(crop_file, batch, tmp_path):
    crops = crop_file(batch(5))
    result = run("export", crops.path, "-o", tmp_path / "cells")
    assert result.exit_code == 0, result.output
    assert "written to" in result.output
    assert (tmp_path / "cells" / "sc-metadata.csv").is_file()
    result = run("import", tmp_path / "cells", "-o", tmp_path / "back.h5ad")
    assert result.exit_code == 0, result.output
    assert "5 cells, channels DNA, Actin, 8 px" in result.output
    assert (Crops.open(tmp_path / "back.h5ad").read() == crops.read()).all()
    result = run("export", crops.path, "-o", tmp_path / "cells.bin", "--format", "hdf5")
    assert result.exit_code == 0, result.output
    result = run("import", tmp_path / "cells.bin", "-o", tmp_path / "bin.h5ad")
    assert result.exit_code == 0, result.output


def test_arrays_of_others_on_the_command_line(crop_file, batch, tmp_path):
    crops = crop_file(batch(5)).path
    path = run("export", crops, "-o", tmp_path / "a.npy")
    (tmp_path / "a.json").unlink()
    (tmp_path / "a_masks.npy").write_bytes(b"no array")
    channels = ("--channel", "x", "--channel", "y", "--column", "Cellssl_Name=Image")
    out = ("-o", tmp_path / "in.h5ad", "--plate-name", "P9", "--negative", "taxol")
    assert path.exit_code == 0
    result = run("import", tmp_path / "a.npy", tmp_path / "a.csv", *channels, *out)
    assert result.exit_code == 0, result.output
    assert Crops.open(tmp_path / "in.h5ad").channels == ("x", "y")
    assert "masks are left out, since no a.json" in " ".join(result.output.split())
    run("export", crops, "-o", tmp_path / "b.h5")
    (tmp_path / "b.json").unlink()
    result = run("import", tmp_path / "b.h5", "--dataset", "crops", *channels, *out)
    assert "masks are left out, since no b.json" in " ".join(result.output.split())


def test_plates_are_joined_on_the_command_line(crop_file, batch, tmp_path):
    one = crop_file(batch(5), name="one.h5ad").path
    two = crop_file(batch(4, plate="P2"), name="two.h5ad").path
    result = run("join", one, two, "-o", one, "--no-masks", "--channel", "Actin")
    assert result.exit_code == 0, result.output
    assert "9 cells, channels Actin, 8 px" in result.output
    assert Crops.open(one).mask_names == ()
    result = run("join", one, "-o", two, "--channel", "Actin=Phalloidin")
    assert "9 cells, channels Phalloidin, 8 px" in result.output, result.output


def test_mistakes_end_in_one_line(crop_file, batch, tmp_path):
    one = crop_file(batch(5)).path
    other = tmp_path / "other.h5ad"
    given = batch(3, plate="P2")
    write_crops(other, [given], channels=["DNA", "ER"], size=8, provenance={})
    for arguments, message in (
        (["join", one, other, "-o", tmp_path / "j.h5ad"], "--channel DNA"),
        (["join", one, one, "-o", tmp_path / "j.h5ad"], "share 5 names of cells"),
        (["export", one, "-o", tmp_path / "a.tiff"], "no format goes with"),
        (["export", one, "-o", tmp_path / "a", "--format", "tiff"], "no format goes with 'tiff'"),
        (["import", tmp_path, "-o", tmp_path / "j.h5ad"], "only DeepProfiler's"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert message in result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "j.h5ad").exists()

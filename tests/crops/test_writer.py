import dataclasses

import numpy as np
import pytest

from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.crops.packing import PackedMasks
from cellssl.crops.placing import StoredPixels
from cellssl.errors import CellsslError, CropError
from cellssl.files import sha256


def write(path, *batches, channels=("DNA", "Actin"), size=8, provenance=None):
    return write_crops(path, batches, channels=channels, size=size, provenance=provenance or {})


def test_same_batches_same_bytes(tmp_path, batch):
    first = write(tmp_path / "a" / "crops.h5ad", batch(20), batch(3, plate="P22"))
    second = write(tmp_path / "b" / "crops.h5ad", batch(20), batch(3, plate="P22"))
    assert sha256(first) == sha256(second)


def test_nothing_appears_when_a_batch_fails(tmp_path, batch):
    def batches():
        yield batch(3)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_crops(
            tmp_path / "crops.h5ad", batches(), channels=("DNA", "Actin"), size=8, provenance={}
        )
    assert list(tmp_path.iterdir()) == []


def test_errors_name_what_is_wrong(tmp_path, batch):
    out = tmp_path / "crops.h5ad"
    good = batch(3)
    narrow = dataclasses.replace(batch(3, start=3), images=np.zeros((3, 2, 8, 8), np.uint8))
    with pytest.raises(CropError, match="a later one uint8"):
        write(out, good, narrow)
    with pytest.raises(CropError, match="share their name"):
        write(out, good, good)
    with pytest.raises(CropError, match="wanted"):
        write(out, good, size=9)
    with pytest.raises(CropError, match="masks to all or none"):
        write(out, good, dataclasses.replace(batch(3, start=3), masks=None))
    with pytest.raises(CropError, match="masks are int32, wanted uint8"):
        write(out, dataclasses.replace(good, masks=good.masks.astype(np.int32)))
    stored = StoredPixels((), (2, 8, 8), np.dtype(np.uint16))
    with pytest.raises(CropError, match="give all as one or the other"):
        write(out, good, CropBatch(stored, good.masks[:0], good.obs[:0]))
    for channels in (("DNA", "DNA"), ("DNA", " ")):
        with pytest.raises(CropError, match="distinct names"):
            write(out, good, channels=channels)
    with pytest.raises(CropError, match="no cell to write"):
        write(out)
    with pytest.raises(CropError, match="lacks Metadata_Plate"):
        write(out, dataclasses.replace(good, obs=good.obs.drop(columns="Metadata_Plate")))
    with pytest.raises(CropError, match="may not contain '/'"):
        write(out, good, provenance={"a/b": 1})
    assert not out.exists()


def test_folder_not_writable(tmp_path, batch):
    (tmp_path / "file").write_text("")
    with pytest.raises(CellsslError, match="file is a file, but a folder is wanted"):
        write(tmp_path / "file" / "crops.h5ad", batch(3))


def test_only_empty_batches_make_an_empty_file(crop_file, batch):
    crops = crop_file(batch(0))
    assert len(crops) == 0
    assert crops.read().shape == (0, 2, 8, 8)
    assert crops.obs.empty


def test_names_of_plates_may_be_numbers_and_columns_may_not_become_one(tmp_path, batch):
    numbered = batch(3)
    numbered.obs["Metadata_Plate"] = 1049
    path = write(tmp_path / "a.h5ad", numbered)
    assert Crops.open(path).percentiles.plates == ("1049",)
    twice = batch(3)
    twice.obs["Metadata_x/y"] = twice.obs["Metadata_x_y"] = 1
    with pytest.raises(CropError, match="rename one"):
        write(tmp_path / "b.h5ad", twice)


def test_masks_may_come_packed(tmp_path, batch):
    given = batch(5)
    packed = dataclasses.replace(given, masks=PackedMasks.of(given.masks))
    one, two = write(tmp_path / "a.h5ad", given), write(tmp_path / "b.h5ad", packed)
    assert sha256(one) == sha256(two)
    np.testing.assert_array_equal(Crops.open(two).masks(), given.masks)
    kept = np.array([True, False, False, True, True])
    few = dataclasses.replace(given, images=given.images[kept], obs=given.obs[kept])
    path = write(
        tmp_path / "c.h5ad", dataclasses.replace(few, masks=PackedMasks.of(given.masks[kept]))
    )
    np.testing.assert_array_equal(Crops.open(path).masks(), given.masks[kept])
    with pytest.raises(CropError, match="masks have shape"):
        write(tmp_path / "d.h5ad", dataclasses.replace(few, masks=packed.masks))

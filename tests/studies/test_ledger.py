import os
import shutil

from cellssl.studies import Ledger, fingerprint
from cellssl.studies.ledger import same


def _finished(tmp_path):
    output = tmp_path / "scores.csv"
    ledger = Ledger(tmp_path / "finished.json")
    inputs = {"label": "MOA", "seeds": (0, 1)}
    ledger.finish("evaluate", inputs, output, lambda: output.write_text("metric,value\n"))
    return ledger, output


def test_holds_what_was_recorded_from_the_same_inputs(tmp_path):
    ledger, _ = _finished(tmp_path)
    assert ledger.holds("evaluate", {"seeds": [0, 1], "label": "MOA"})
    assert Ledger(ledger.path).holds("evaluate", {"label": "MOA", "seeds": (0, 1)})


def test_work_that_is_finished_is_not_done_again(tmp_path):
    ledger, output = _finished(tmp_path)
    ledger.finish("evaluate", {"label": "MOA", "seeds": (0, 1)}, output, output.unlink)
    assert output.exists()
    ledger.finish("evaluate", {"label": "Dose"}, output, lambda: output.write_text("anew"))
    assert output.read_text() == "anew"


def test_does_not_hold_other_inputs_or_names(tmp_path):
    ledger, _ = _finished(tmp_path)
    assert not ledger.holds("evaluate", {"label": "Dose", "seeds": (0, 1)})
    assert not ledger.holds("report", {"label": "MOA", "seeds": (0, 1)})


def test_does_not_hold_what_was_changed_or_deleted_since(tmp_path):
    ledger, output = _finished(tmp_path)
    output.write_text("metric,value\nami,1\n")
    assert not ledger.holds("evaluate", {"label": "MOA", "seeds": (0, 1)})
    output.unlink()
    assert not ledger.holds("evaluate", {"label": "MOA", "seeds": (0, 1)})


def test_a_damaged_record_means_that_nothing_is_finished(tmp_path):
    ledger, _ = _finished(tmp_path)
    ledger.path.write_text('{"evaluate": {"inp')
    assert not ledger.holds("evaluate", {"label": "MOA", "seeds": (0, 1)})


def test_a_copy_is_held_whose_files_have_other_times(tmp_path):
    before, copied = tmp_path / "results", tmp_path / "copied"
    before.mkdir()
    crops = before / "crops.h5ad"
    crops.write_text("cells")
    scores = before / "scores.csv"
    Ledger(before / "finished.json").finish(
        "evaluate", {"crops": [fingerprint(crops)]}, scores, lambda: scores.write_text("metric\n")
    )
    shutil.copytree(before, copied, copy_function=shutil.copy)
    for file in copied.iterdir():
        os.utime(file, (1, 1))
    ledger = Ledger(copied / "finished.json")
    assert ledger.holds("evaluate", {"crops": [fingerprint(copied / "crops.h5ad")]})

    (copied / "crops.h5ad").write_text("other")  # as long, at the same time
    os.utime(copied / "crops.h5ad", (2, 2))
    assert not ledger.holds("evaluate", {"crops": [fingerprint(copied / "crops.h5ad")]})
    os.utime(copied / "scores.csv", (2, 2))
    assert ledger.holds("evaluate", {"crops": [fingerprint(crops)]})
    (copied / "scores.csv").write_text("metrix\n")
    assert not ledger.holds("evaluate", {"crops": [fingerprint(crops)]})


def test_a_folder_in_place_of_a_file_is_no_file(tmp_path):
    """Whoever reads it says what is wrong."""
    assert fingerprint(tmp_path) == {"file": tmp_path.name, "missing": True}


def test_records_that_know_times_alone_go_by_these(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("a")
    now = fingerprint(file)
    old = {key: value for key, value in now.items() if key != "digest"}
    assert same({"crops": old, "seed": 0}, {"crops": now, "seed": 0})
    assert not same({"crops": {**old, "changed": 1}, "seed": 0}, {"crops": now, "seed": 0})
    assert not same({"crops": now}, {"crops": now, "seed": 0})

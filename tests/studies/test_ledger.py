from cellssl.studies import Ledger


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

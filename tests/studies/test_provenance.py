import json

import pytest

from cellssl.studies.provenance import describe_trainings, read_environments

WHOLE = {
    "device": "cpu",
    "device_name": "a processor",
    "threads": 2,
    "platform": "Linux",
    "date": "2026-01-02T03:04:05",
    "packages": {"cellssl": "1.0", "torch": "2.8"},
}


@pytest.mark.parametrize(
    "broken", ["", '{"device": "cpu"', "[]", json.dumps({"device": "cpu", "date": "2026"})]
)
def test_a_page_goes_on_without_an_environment_that_is_broken(broken, tmp_path, caplog):
    for name, text in (("whole", json.dumps(WHOLE)), ("broken", broken)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "environment.json").write_text(text)
    runs = {name: tmp_path / name for name in ("whole", "broken", "missing")}
    found = read_environments(runs)
    assert found == {"whole": WHOLE}
    assert "2026-01-02" in describe_trainings(found.values())
    (message,) = caplog.messages
    assert str(tmp_path / "broken" / "environment.json") in message

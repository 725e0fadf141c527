"""Protocols of version 1 are read as today's; those of tomorrow are not."""

import logging

import pytest

from cellssl.protocols import dump, from_dict, loads
from cellssl.protocols.migrating import migrate

OLD = """\
name: mine
channels: any
crop: {size: 8}
views:
  - - flip: {}
    - noise:
        sigma: [0, 0.1]
"""


def test_noise_became_read_noise(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="cellssl"):
        protocol = loads(OLD, source="mine.yaml")
    assert [operation.name for operation in protocol.views[0].operations] == ["flip", "read_noise"]
    assert caplog.messages == ["mine.yaml:6: noise is called read_noise since version 2; read so"]


def test_mistakes_in_what_was_renamed_keep_their_line() -> None:
    with pytest.raises(ValueError, match=r"mine:7: sigma: expected two rising numbers"):
        loads(OLD.replace("0.1", "7"), source="mine")


def test_saved_values_are_migrated_silently(caplog: pytest.LogCaptureFixture) -> None:
    saved = loads(OLD).to_dict()
    saved["views"][0][1] = {"noise": saved["views"][0][1]["read_noise"]}
    del saved["version"]
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="cellssl"):
        assert from_dict(saved) == loads(OLD.replace("noise", "read_noise"))
    assert caplog.messages == []
    assert "noise" in saved["views"][0][1]  # what was given stays as it was


def test_a_missing_version_with_new_names_is_fine() -> None:
    assert loads(OLD.replace("noise", "read_noise")) == loads(OLD)


def test_what_is_written_says_its_version_first() -> None:
    protocol = loads(OLD)
    assert next(iter(protocol.to_dict())) == "version"
    assert dump(protocol).startswith("version: 2\nname: mine\n")


def test_every_place_that_names_an_operation_is_migrated() -> None:
    values = {
        "views": [[{"noise": {}}], {"operations": [{"noise": {}}], "count": 2}],
        "change": {"noise": {"p": 1}},
        "keep": ["noise"],
        "remove": ["noise"],
        "add": [{"noise": {}}],
    }
    migrated, changes = migrate(values)
    assert migrated == {
        "views": [[{"read_noise": {}}], {"operations": [{"read_noise": {}}], "count": 2}],
        "change": {"read_noise": {"p": 1}},
        "keep": ["read_noise"],
        "remove": ["read_noise"],
        "add": [{"read_noise": {}}],
        "version": 2,
    }
    assert [change.place for change in changes] == [
        ("views", 0, 0, "noise"),
        ("views", 1, "operations", 0, "noise"),
        ("add", 0, "noise"),
        ("change", "noise"),
        ("keep", 0),
        ("remove", 0),
    ]


def test_values_of_today_are_left_alone() -> None:
    values = {"version": 2, "views": [[{"noise": {}}]]}
    assert migrate(values) == (values, [])

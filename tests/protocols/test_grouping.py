"""Several groups of views on one encoder: read, checked, expanded, built."""

import pytest
import torch

from cellssl.errors import ProtocolError
from cellssl.protocols import (
    build_encoder,
    build_method,
    build_views,
    dump,
    expand_groups,
    load,
    loads,
    resolve,
)

CHANNELS = ("DAPI", "Tubulin", "Actin")
HEAD = "version: 2\nname: mine\nextends: bbbc021-expert\n"


def operations(group: str) -> list[str]:
    views = expand_groups(load("bbbc021-two-heads"))[group].views
    return [operation.name for operation in views[0].operations]


def test_a_group_is_what_it_says_of_the_views() -> None:
    assert operations("expert") == [o.name for o in load("bbbc021-expert").views[0].operations]
    assert operations("geometry") == ["rotate", "flip", "zoom", "shift"]


def test_a_protocol_with_groups_is_read_back_equal() -> None:
    protocol = load("bbbc021-two-heads")
    assert loads(dump(protocol)) == protocol
    assert resolve(protocol, {"training.epochs": 3}).groups == protocol.groups


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("{a: {}}", r":4: groups: one group is what `views` say"),
        ("{a: {}, b: {kep: [rotate]}}", r":4: unknown key 'kep' of a group"),
        ("{a: {}, b: {keep: [rotat]}}", r":4: keep: .*'rotat'; did you mean 'rotate'"),
        ("{a: {}, b: {change: {zoom: {area: [3, 1]}}}}", r":4: area: .*turn it round"),
        ("{a: {}, b: {keep: [flip], remove: [flip]}}", r":4: remove: flip is kept and removed"),
        ("{a: {}, b: {keep: [flip], change: {zoom: {}}}}", r":4: change: zoom is not among those"),
        ("{a: {}, b: {add: [{blur: {sigma: [0, 99]}}]}}", r":4: sigma: .*between 0 and 20 px"),
        ("{a/b: {}, c: {}}", r":4: groups: 'a/b' cannot name a group"),
        ("{a.b: {}, c: {}}", r":4: groups: 'a.b' cannot name a group"),
        ("{train: {}, b: {}}", r":4: groups: 'train' is torch's own word"),
        (
            "{a: {}, b: [[rotate: {degrees: 9}]]}",
            r":4: b: expected how .* differs from views \(change",
        ),
        ("[a, b]", r":4: groups: expected keys and values"),
        (
            "{a: {}, b: {}, c: {}}\ntraining: {divide_batch: true, batch_size: 256}",
            r":5: batch_size: 256 cells cannot be divided among 3",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(groups: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        loads(f"{HEAD}groups: {groups}")


def test_keep_takes_all_others_out_of_inherited_views() -> None:
    protocol = loads(f"{HEAD}keep: [flip, rotate]")
    assert [o.name for o in protocol.views[0].operations] == ["rotate", "flip"]


def test_views_and_heads_of_all_groups_are_built() -> None:
    changes = {"training.width": 0.125, "training.divide_batch": False, "training.own_stages": 0}
    protocol = resolve("bbbc021-two-heads", {"crop.size": 32, **changes})
    views = build_views(protocol, CHANNELS)
    images, samples = torch.rand(4, 3, 48, 48), torch.arange(4)
    made = views(images, 0, 0, samples)
    assert [tuple(view.shape) for view in made] == [(4, 3, 32, 32)] * 4
    alone = build_views(expand_groups(protocol)["expert"], CHANNELS)(images, 0, 0, samples)
    torch.testing.assert_close(made[0], alone[0])  # the first group draws as it does by itself
    assert not torch.equal(made[0], made[2])
    method = build_method(protocol, build_encoder(protocol, 3))
    assert list(method.heads) == ["expert", "geometry"]
    assert all(head.encoder is method.encoder for head in method.heads.values())


def test_groups_may_have_stages_of_their_own() -> None:
    changes = {"training.width": 0.125, "training.own_stages": 2}
    protocol = resolve("bbbc021-two-heads", changes)
    encoder = build_encoder(protocol, 3)
    method = build_method(protocol, encoder)
    assert encoder.describe()["branches"] == ["expert", "geometry"]
    assert [network.feature_dim for network in method.networks] == [64, 64]
    alone = build_encoder(resolve("bbbc021-expert", changes), 3)  # no groups, nothing to part
    assert (alone.feature_dim, "branches" in alone.describe()) == (64, False)
    with pytest.raises(ProtocolError, match="own_stages"):
        resolve("bbbc021-two-heads", {"training.own_stages": 5})


def test_groups_may_share_a_batch_between_them() -> None:
    protocol = resolve("bbbc021-two-heads", {"crop.size": 32})
    made = build_views(protocol, CHANNELS)(torch.rand(6, 3, 48, 48), 0, 0, torch.arange(6))
    assert [len(view) for view in made] == [3, 3, 3, 3]


@pytest.mark.parametrize("mended", ["groups: {}", "groups: {all: {}, still: {keep: [zoom]}}"])
def test_an_inherited_group_that_fits_no_more_is_told_with_what_to_write(mended: str) -> None:
    child = "version: 2\nname: mine\nextends: bbbc021-two-heads\nremove: [rotate]\n"
    with pytest.raises(ProtocolError) as caught:
        loads(child, source="mine.yaml")
    told = str(caught.value)
    assert told.startswith(
        "mine.yaml:3: group geometry: keep: no inherited operation is called 'rotate'; there are flip"
    )
    assert told.endswith("write groups: anew to fit, or groups: {} for none")
    assert loads(f"{child}{mended}\n").views

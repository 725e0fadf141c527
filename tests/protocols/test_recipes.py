"""Views in their short and long forms, and how many there are."""

import pytest
import torch

from cellssl.protocols import Protocol, build_views, dump, loads

from .examples import small


def with_views(views: str) -> Protocol:
    return loads(small(views, channels="any"))


@pytest.mark.parametrize(
    ("views", "sizes"),
    [
        ("[[]]", [16, 16]),
        ("[[], []]", [16, 16]),
        ("[{operations: []}]", [16, 16]),
        ("[{operations: [], count: 3}]", [16, 16, 16]),
        ("[{operations: [], count: 2}, {operations: [], count: 4, size: 8}]", [16, 16, *[8] * 4]),
        ("[[], {operations: [], size: 16}, [], {operations: [], size: 9}]", [16, 16, 16, 9]),
    ],
)
def test_views_are_counted_and_sized(views: str, sizes: list[int]) -> None:
    protocol = with_views(views)
    built = build_views(protocol, ["DNA"])
    assert [view.size for view in built.views] == sizes
    images, samples = torch.rand(2, 1, 24, 24), torch.arange(2)
    assert [made.shape[-1] for made in built(images, 0, 0, samples)] == sizes
    assert loads(dump(protocol)) == protocol


@pytest.mark.parametrize(
    ("views", "plain"),
    [
        ("[[]]", [[]]),
        ("[{operations: [], count: 2}]", [[]]),
        ("[{operations: [], count: 1}, []]", [[], []]),
        ("[[], [], {operations: [], size: 16}]", [[], [], []]),
        ("[{operations: [], count: 3}]", [{"operations": [], "count": 3}]),
        (
            "[{operations: [], count: 2}, {operations: [], size: 8}]",
            [{"operations": [], "count": 2}, {"operations": [], "size": 8}],
        ),
    ],
)
def test_the_short_form_is_written_where_it_says_all(views: str, plain: list[object]) -> None:
    assert with_views(views).to_dict()["views"] == plain


def test_both_forms_mean_the_same() -> None:
    assert with_views("[[flip: {}]]") == with_views("[{operations: [flip: {}], count: 2}]")


def test_views_of_one_entry_are_drawn_differently() -> None:
    built = build_views(with_views("[{operations: [rotate: {degrees: 90}], count: 3}]"), ["DNA"])
    made = built(torch.rand(4, 1, 24, 24), 0, 0, torch.arange(4))
    assert not torch.equal(made[0], made[1])
    assert not torch.equal(made[1], made[2])

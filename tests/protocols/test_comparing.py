"""Two protocols side by side."""

from cellssl.protocols import Protocol, diff, load, loads, resolve

Row = tuple[str, str, str]


def child(says: str, base: str = "bbbc021-expert") -> Protocol:
    return loads(f"name: child\nextends: {base}\n{says}\n")


def rows(a: object, b: object) -> list[Row]:
    return [tuple(row) for row in diff(a, b).itertuples(index=False)]  # type: ignore[arg-type]


def test_the_same_but_for_the_name() -> None:
    table = diff("bbbc021-expert", child(""))
    assert table.empty
    assert list(table.columns) == ["what", "first", "second"]


def test_groups_are_compared_by_name_and_by_what_they_add() -> None:
    def grouped(groups: dict[str, object]) -> Protocol:
        return resolve("bbbc021-two-heads", {"groups": groups})

    one = grouped(
        {"expert": {}, "geometry": {"add": [{"blur": {"sigma": [0.1, 1]}}, {"blur": None}]}}
    )
    other = grouped({"other": {}, "geometry": {"add": [{"blur": {"sigma": [0.1, 2], "p": 0.5}}]}})
    assert rows(one, other) == [
        ("groups.expert", "the views as they are", "–"),
        (
            "groups.geometry.add",
            "blur sigma 0.1–1 px and blur sigma 0.1–2 px",
            "blur sigma 0.1–2 px, p 0.5",
        ),
        ("groups.other", "–", "the views as they are"),
    ]


def test_values_are_shown_with_their_units() -> None:
    other = child(
        "change: {stain_gain: {amplitude: 0.05, because: x}, defocus: {sigma: [0.1, 1]}, "
        "rotate: {degrees: 90, p: 0.5}}\npositives: {kind: same_treatment, columns: [MOA]}\n"
        "crop: {border: mirror}\ntraining: {method: moco, method_options: {queue: 64}}"
    )
    assert rows("bbbc021-expert", other) == [
        ("crop.border", "neighbours", "mirror"),
        ("positives.kind", "same_cell", "same_treatment"),
        ("positives.columns", "–", "MOA"),
        ("training.method", "simclr", "moco"),
        ("training.method_options.queue", "–", "64"),
        ("rotate.degrees", "180", "90"),
        ("rotate.p", "1", "0.5"),
        ("stain_gain.amplitude", "0.15 ln(factor)", "0.05 ln(factor)"),
        ("defocus.sigma", "0.1–1.5 px", "0.1–1 px"),
    ]


def test_operations_of_one_protocol_alone_stand_against_a_dash() -> None:
    other = child("remove: [flip, shift]\nadd: [blur: {p: 0.5}, quarter_turn: {}]")
    found = rows("bbbc021-expert", other)
    assert ("flip", "p 0.5", "–") in found
    assert ("shift", "pixels 2.5 px", "–") in found
    assert ("blur", "–", "sigma 0.1–2 px, p 0.5") in found
    assert ("quarter_turn", "–", "always") in found
    assert len(found) == 4


def test_order_is_told() -> None:
    first = child("views: [[flip: {}, blur: {}, solarize: {}]]")
    second = child("views: [[blur: {}, flip: {}, gamma: {amplitude: 0.1}]]")
    assert rows(first, second)[-1] == ("order", "flip, blur", "blur, flip")


def test_the_second_of_a_name_is_numbered() -> None:
    first = child("views: [[blur: {}, blur: {}]]")
    assert rows(first, child("views: [[blur: {}, blur: {p: 0.5}]]")) == [("blur 2.p", "1", "0.5")]


def test_views_are_compared_one_by_one_and_told_together() -> None:
    two = child("views: [[], [blur: {}]]")
    many = child("views: [[], [blur: {p: 0.5}], {operations: [flip: {}], count: 4, size: 32}]")
    assert rows(two, many) == [
        ("number of views", "2", "6"),
        ("view 2: blur.p", "1", "0.5"),
        ("views 3–6: all of it", "–", "32 px: flip"),
    ]


def test_reasons_are_shown_only_where_nothing_else_differs() -> None:
    other = child("change: {flip: {because: symmetry}}\ndescription: mine")
    assert rows("bbbc021-expert", other) == [
        ("description", load("bbbc021-expert").description, "mine"),
        ("flip.because", "a cell and its mirror image are equally likely", "symmetry"),
    ]


def test_small_differences_are_not_rounded_away() -> None:
    other = resolve("bbbc021-expert", {"defocus.sigma": [0.1, 1.50001]})
    assert rows("bbbc021-expert", other) == [("defocus.sigma", "(0.1, 1.5)", "(0.1, 1.50001)")]

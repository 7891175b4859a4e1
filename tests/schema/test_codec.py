# The numbers of the test matrix stand in the names as it writes them.
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aether_schema import InvalidSummaryError, Phase, Summary, decode_summary, encode_summary

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[2] / "fixtures"
BOM = b"\xef\xbb\xbf"
DEEP = b"[" * 100_000 + b"]" * 100_000

REQUIRED_KEYS = ("bench_id", "metric", "unit", "p50", "p95", "n", "timestamp")
# The key that an invalid file is wrong about; empty where the whole document is.
WRONG_KEY = {
    "array": "",
    "bench_id_empty": "bench_id",
    "bench_id_too_long": "bench_id",
    "bench_id_with_newline": "bench_id",
    "deep": "",
    "empty": "",
    "infinity": "p95",
    "metric_unknown": "metric",
    "n_a_boolean": "n",
    "n_a_fraction": "n",
    "n_zero": "n",
    "nan": "p95",
    "negative": "p50",
    "not_json": "",
    "not_utf8": "",
    "overflow": "p95",
    "p95_a_string": "p95",
    "p95_below_p50": "p95",
    "reference_misshapen": "reference.samples",
    "runs_doubled": "runs[1].timestamp",
    "runs_of_no_length": "runs[0].p50",
    "samples_disagree": "p50",
    "samples_miscounted": "n",
    "schema_version_2": "schema_version",
    "timestamp_not_iso": "timestamp",
    "truncated": "",
    "unit_of_another_metric": "unit",
    "value_without_better": "better",
    **{f"missing_{key}": key for key in REQUIRED_KEYS},
}

FRAGMENTS = (
    *(b"NaN", b"-Infinity", b"1e999", b"6e1", b"-1", b"null", b"true", b'"\\ud800"', b"\xff", b"\x00", b"9" * 400),
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"[" * 2000, b'{"a":' * 2000, BOM, b" ", b"\\", b"."),
)
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(FRAGMENTS) | st.binary(max_size=8))


def assert_decodes_or_is_refused(data: bytes) -> None:
    problem = ""
    try:
        decoded: Summary | None = decode_summary(data)
    except InvalidSummaryError as error:
        decoded, problem = None, str(error)
    assert isinstance(decoded, Summary) or problem
    assert "\n" not in problem


@given(st.data())
def test_decoding_what_was_encoded_gives_the_same_summary(
    summaries: st.SearchStrategy[Summary], data: st.DataObject
) -> None:
    summary = data.draw(summaries)
    assert decode_summary(encode_summary(summary)) == summary


@given(st.data())
def test_what_is_encoded_is_one_json_object_of_the_keys_that_are_set(
    summaries: st.SearchStrategy[Summary], data: st.DataObject
) -> None:
    summary = data.draw(summaries)
    fields = json.loads(encode_summary(summary))
    set_keys = {key for key in Summary.__struct_fields__ if getattr(summary, key) is not None}
    assert fields.keys() == set_keys


def test_the_same_summary_is_always_the_same_bytes(summary: Callable[..., Summary]) -> None:
    changes = {"params": {"files": 100}, "phases": {"walk": Phase(p50=1.0, p95=2.0)}, "environment": {}}
    assert encode_summary(summary(**changes)) == encode_summary(summary(**changes))


def test_a_round_has_a_line_of_its_own(summary: Callable[..., Summary]) -> None:
    data = encode_summary(summary(samples=((1.0, 2.0), (3.0,)), n=3, p50=2.0, p95=2.9))
    assert b"\n    [1.0,2.0],\n    [3.0]\n" in data


@given(st.binary())
@example(b"")
@example(BOM)
@example(b"null")
@example(DEEP)
def test_no_byte_string_raises_anything_but_the_one_error(data: bytes) -> None:
    assert_decodes_or_is_refused(data)


@given(data=st.data(), edits=st.lists(EDIT, min_size=1, max_size=4))
def test_no_damage_to_a_valid_document_raises_anything_but_the_one_error(
    summaries: st.SearchStrategy[Summary], data: st.DataObject, edits: list[tuple[float, int, bytes]]
) -> None:
    damaged = encode_summary(data.draw(summaries))
    for place, removed, inserted in edits:
        start = int(place * len(damaged))
        damaged = damaged[:start] + inserted + damaged[start + removed :]
    assert_decodes_or_is_refused(damaged)


@given(
    key=st.sampled_from(Summary.__struct_fields__),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
)
def test_no_value_under_any_key_raises_anything_but_the_one_error(
    document: Callable[..., bytes], key: str, value: Any
) -> None:
    assert_decodes_or_is_refused(document(**{key: value}))


def test_every_invalid_fixture_is_expected_to_fail() -> None:
    assert {path.stem for path in (FIXTURES / "invalid").iterdir()} == WRONG_KEY.keys()


@pytest.mark.parametrize("name", sorted(WRONG_KEY))
def test_an_invalid_summary_is_refused_and_its_key_named(name: str) -> None:
    with pytest.raises(InvalidSummaryError) as caught:
        decode_summary((FIXTURES / "invalid" / f"{name}.json").read_bytes())
    assert caught.value.key == WRONG_KEY[name]
    assert str(caught.value).startswith(WRONG_KEY[name])


@pytest.mark.parametrize("key", REQUIRED_KEYS)
@pytest.mark.parametrize("value", [None, [], {}, True])
def test_a_required_key_of_a_wrong_type_is_refused_and_named(
    document: Callable[..., bytes], key: str, value: object
) -> None:
    with pytest.raises(InvalidSummaryError) as caught:
        decode_summary(document(**{key: value}))
    assert caught.value.key == key


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")) + sorted(FIXTURES.glob("valid/*.json")), ids=str)
def test_every_valid_fixture_is_accepted(path: Path) -> None:
    summary = decode_summary(path.read_bytes())
    assert summary.p95 >= summary.p50
    assert summary.n >= 1


def test_numbers_are_read_however_json_writes_them(document: Callable[..., bytes]) -> None:
    data = document().replace(b"6.5", b"1e-3").replace(b"7.5", b"2.5E+1").replace(b"60", b"6e1")
    summary = decode_summary(data)
    assert (summary.p50, summary.p95, summary.n) == (0.001, 25.0, 60)
    assert type(summary.n) is int


@pytest.mark.parametrize("key", ["n", "disturbed", "schema_version"])
def test_a_count_may_be_written_with_a_point_if_it_is_whole(document: Callable[..., bytes], key: str) -> None:
    value = getattr(decode_summary(document(**{key: 1.0})), key)
    assert (value, type(value)) == (1, int)


@pytest.mark.parametrize("key", ["n", "disturbed", "schema_version"])
def test_a_count_that_is_no_whole_number_is_refused(document: Callable[..., bytes], key: str) -> None:
    with pytest.raises(InvalidSummaryError) as caught:
        decode_summary(document(**{key: 1.5}))
    assert caught.value.key == key


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(b"} x", id="trailing characters"),
        pytest.param(b"", id="truncated"),
        pytest.param(b', "later": ' + DEEP + b"}", id="nested too deeply"),
        pytest.param(b', "environment": {"a": ' + DEEP + b"}}", id="an environment nested too deeply"),
        pytest.param(b', "environment": {"a": 1' + b"0" * 5000 + b"}}", id="an integer of 5000 digits"),
        pytest.param(b', "p50": "6"}', id="a wrong type"),
    ],
)
def test_a_count_written_with_a_point_hides_no_other_fault(document: Callable[..., bytes], end: bytes) -> None:
    with pytest.raises(InvalidSummaryError) as caught:
        decode_summary(document(n=60.0).removesuffix(b"}") + end)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["later", "environment"])
def test_deep_nesting_is_refused_and_its_key_named(document: Callable[..., bytes], key: str) -> None:
    data = document().removesuffix(b"}") + b', "' + key.encode() + b'": {"a": ' + DEEP + b"}}"
    with pytest.raises(InvalidSummaryError, match="nested too deeply") as caught:
        decode_summary(data)
    assert caught.value.key == key


@pytest.mark.parametrize("key", ["environment", "readings"])
def test_a_value_is_nested_at_most_100_deep(summary: Callable[..., Summary], key: str) -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: Any = 1
        for level in range(depth):
            value = {"a": value} if level % 2 else [value]
        return {"deep": value}

    assert decode_summary(encode_summary(summary(**{key: nested(99)})))
    for depth in (100, 480, 990, 5000):
        with pytest.raises(InvalidSummaryError) as caught:
            summary(**{key: nested(depth)})
        assert str(caught.value) == f"{key}: nested more than 100 deep"


@pytest.mark.parametrize("value", [b"1", b"[]", b"{}"])
def test_more_values_than_memory_should_hold_are_refused(document: Callable[..., bytes], value: bytes) -> None:
    many = b"[" + b",".join([value] * 4_000_000) + b"]"
    with pytest.raises(InvalidSummaryError, match="more than the 4,000,000 values"):
        decode_summary(document().removesuffix(b"}") + b', "environment": {"a": ' + many + b"}}")


def test_a_byte_order_mark_is_passed_over(document: Callable[..., bytes]) -> None:
    assert decode_summary(BOM + document()) == decode_summary(document())


def test_a_byte_order_mark_is_not_written(summary: Callable[..., Summary]) -> None:
    assert encode_summary(summary()).startswith(b"{")


def test_unknown_keys_are_ignored_at_every_level(document: Callable[..., bytes]) -> None:
    extended = document(
        schema_version=1,
        verdict={"of": ["tomorrow"]},
        phases={"walk": {"p50": 1, "p95": 2, "p99": 3}},
    )
    summary = decode_summary(extended)
    assert summary.phases == {"walk": Phase(p50=1.0, p95=2.0)}
    assert not hasattr(summary, "verdict")


def test_text_that_is_not_utf8_is_refused_even_under_an_unknown_key(document: Callable[..., bytes]) -> None:
    with pytest.raises(InvalidSummaryError, match="not UTF-8 at byte"):
        decode_summary(document(later="x").replace(b'"x"', b'"\xe4"'))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"nan", b"+1", b"0x10", b".5"])
def test_what_is_no_number_in_json_is_refused_and_its_key_named(document: Callable[..., bytes], number: bytes) -> None:
    with pytest.raises(InvalidSummaryError) as caught:
        decode_summary(document().replace(b"6.5", number))
    assert caught.value.key == "p50"


@pytest.mark.parametrize("number", [b"NaN", b"Infinity"])
def test_a_number_that_only_other_formats_know_is_called_by_its_name(
    document: Callable[..., bytes], number: bytes
) -> None:
    with pytest.raises(InvalidSummaryError, match=f"p50: {number.decode()} is not a number"):
        decode_summary(document().replace(b"6.5", number))


def test_a_key_of_a_phase_is_named_by_its_path(document: Callable[..., bytes]) -> None:
    with pytest.raises(InvalidSummaryError, match=r"phases.*p95: missing"):
        decode_summary(document(phases={"walk": {"p50": 1}}))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"notes": 3}, id="notes a number"),
        pytest.param({"disturbed": -1}, id="disturbed negative"),
        pytest.param({"params": {"files": {}}}, id="params nested"),
        pytest.param({"phases": {"walk": Phase(p50=float("nan"), p95=1.0)}}, id="a phase not a number"),
        pytest.param({"environment": {1: 2}}, id="a key no text"),
        pytest.param({"environment": {"a": object()}}, id="a value JSON does not know"),
        pytest.param({"notes": "\udcff"}, id="notes not UTF-8"),
        pytest.param({"bench_id": "\udcff"}, id="bench_id not UTF-8"),
        pytest.param({"params": {"tree": "\udcff"}}, id="params not UTF-8"),
    ],
)
def test_what_cannot_be_written_is_refused_before_it_is(
    summary: Callable[..., Summary], changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidSummaryError):
        encode_summary(summary(**changes))


@pytest.mark.parametrize("key", ["params", "environment"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_hold_does_not_turn_into_nothing(
    summary: Callable[..., Summary], key: str, number: float
) -> None:
    with pytest.raises(InvalidSummaryError) as caught:
        encode_summary(summary(**{key: {"level": number}}))
    assert caught.value.key.startswith(key)

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from aether_compare.json_schema import generate_ab_schema, published_ab_schema


def test_the_published_schema_is_generated_from_the_types() -> None:
    assert published_ab_schema() == generate_ab_schema()


def test_one_bench_and_several_match_the_schema() -> None:
    schema = Draft202012Validator(json.loads(published_ab_schema()))
    schema.check_schema(schema.schema)
    assert not schema.is_valid({"verdict": "pass", "exit_code": 0})
    assert schema.is_valid({"verdict": "pass", "exit_code": 0, "benches": []})

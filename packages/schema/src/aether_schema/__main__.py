"""`python -m aether_schema` prints the published JSON Schema, `--generate` the one generated from the types."""

from __future__ import annotations

import sys

from aether_schema.json_schema import generate_schema, published_schema

if __name__ == "__main__":
    schema = generate_schema() if sys.argv[1:] == ["--generate"] else published_schema()
    sys.stdout.buffer.write(schema)

"""The build hook `aether`: a summary of each build with its time, and the artifact's size, entries and digest."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DEFAULT_FOLDER = os.path.join("target", "benchmarks")


class AetherBuildHook(BuildHookInterface):  # type: ignore[type-arg] # of any builder
    """Writes `bench-build-<target>.json` after each build. The artifact itself is not changed."""

    PLUGIN_NAME = "aether"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Start the clock."""
        del version, build_data
        self._started_ns = perf_counter_ns()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Write the summary.

        Raises:
            ValueError: the option `folder` is not a string.

        """
        del build_data
        if version == "editable":
            return  # not an artifact that anybody publishes
        duration_ms = (perf_counter_ns() - self._started_ns) / 1e6
        folder = self.config.get("folder", DEFAULT_FOLDER)
        if not isinstance(folder, str) or not folder:
            raise ValueError("Field `tool.hatch.build.hooks.aether.folder` must be a string")
        summary = build_summary(self.target_name, artifact_path, duration_ms)
        write_json(os.path.join(self.root, folder, f"bench-build-{self.target_name}.json"), summary)


def build_summary(target: str, artifact: str, duration_ms: float) -> dict[str, Any]:
    """Return the summary of a build: its duration in ms, and readings of the artifact."""
    size = os.path.getsize(artifact)
    with open(artifact, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    readings = {"size_bytes": size}
    if (entries := count_entries(artifact)) is not None:
        readings["entries"] = entries
    return {
        "bench_id": f"build-{target}",
        "metric": "duration_ms",
        "unit": "ms",
        "p50": duration_ms,
        "p95": duration_ms,
        "n": 1,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "schema_version": 1,
        "readings": readings,
        "notes": f"{os.path.basename(artifact)}: {size:,} bytes, sha256 {digest}",
    }


def count_entries(artifact: str) -> int | None:
    """Return the number of entries of a zip or tar archive, or None for another file."""
    if zipfile.is_zipfile(artifact):
        with zipfile.ZipFile(artifact) as archive:
            return len(archive.namelist())
    if tarfile.is_tarfile(artifact):
        with tarfile.open(artifact) as archive:
            return len(archive.getnames())
    return None


def write_json(path: str, document: dict[str, Any]) -> None:
    """Write a JSON file completely or not at all."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2) + "\n")
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise

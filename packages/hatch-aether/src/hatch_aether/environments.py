"""The environments that the collector adds, and how they merge with the user's. Pure."""

from __future__ import annotations

import re
import shlex
from typing import Any, NamedTuple

TABLE = "tool.hatch.env.collectors.aether"
DEFAULT_VERSIONS = ">=0.1,<0.2"
#: Packages that no bench needs.
_GUARD_PACKAGES = frozenset({"aether-compare", "aether-formats", "aether-guard", "aether-history"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class OptionError(ValueError):
    """An option of the collector's table is wrong; the message names the key."""


class Options(NamedTuple):
    """The options of the collector's table.

    `benches` are the benches of `bench:all`: files, or names of installed benches; all installed ones if empty.
    `packages` are further packages with benches. `extras` are the extras of aether-guard. `versions` maps a package to
    a version specifier (`==0.1.0`) or a direct reference (`@ file:///…`).
    """

    benches: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    extras: tuple[str, ...] = ("ab",)
    versions: tuple[tuple[str, str], ...] = ()


def read_options(table: dict[str, Any]) -> Options:
    """Return the options of the collector's table.

    Raises:
        OptionError: a key is unknown or has a value of another type.

    """
    for key in table:
        if key not in Options._fields:
            raise OptionError(f"Field `{TABLE}.{key}` is unknown; known: {', '.join(Options._fields)}")
    lists: dict[str, tuple[str, ...]] = {}
    for key in ("benches", "packages", "extras"):
        if key in table:
            if not isinstance(table[key], list) or not all(isinstance(item, str) for item in table[key]):
                raise OptionError(f"Field `{TABLE}.{key}` must be an array of strings")
            lists[key] = tuple(table[key])
    versions = table.get("versions", {})
    if not isinstance(versions, dict) or not all(isinstance(item, str) for item in versions.values()):
        raise OptionError(f"Field `{TABLE}.versions` must be a table of strings")
    return Options(**lists, versions=tuple(versions.items()))


def add_environments(config: dict[str, dict[str, Any]], options: Options) -> None:
    """Add the environments `bench` and `guard` to `config`; nothing that is there is replaced."""
    versions = dict(options.versions)
    for name, ours in (("bench", _bench(options, versions)), ("guard", _guard(options, versions))):
        _merge(config.setdefault(name, {}), ours)


def _bench(options: Options, versions: dict[str, str]) -> dict[str, Any]:
    benches = "".join(f" {shlex.quote(bench)}" for bench in options.benches)
    packages = ["aether-harness", *options.packages]
    packages += [package for package in _direct(versions) if package not in packages and package not in _GUARD_PACKAGES]
    return {
        "extra-dependencies": [_requirement(package, versions) for package in packages],
        "scripts": {
            "all": f"aether-bench run{benches} {{args}}",
            "list": "aether-bench list {args}",
            "doctor": "aether-bench doctor {args}",
            "noise": "aether-bench noise {args}",
        },
    }


def _guard(options: Options, versions: dict[str, str]) -> dict[str, Any]:
    extras = f"[{','.join(options.extras)}]" if options.extras else ""
    dependencies = [_requirement("aether-guard", versions, extras)]
    dependencies += [_requirement(package, versions) for package in _direct(versions) if package != "aether-guard"]
    commands = ("check", "ab", "bisect", "promote", "validate", "policy", "init", "record", "trend")
    return {
        "detached": True,
        "extra-dependencies": dependencies,
        "scripts": {
            **{command: f"aether-guard {command} {{args}}" for command in commands},
            # Hatch stops at the first command that fails: nothing is published without a pass.
            "publish": ["aether-guard check --strict", "hatch publish {args}"],
        },
    }


def _direct(versions: dict[str, str]) -> list[str]:
    """Return the packages with direct references: an installer uses these only for requirements that we name."""
    return [package for package, version in versions.items() if version.lstrip().startswith("@")]


def _requirement(package: str, versions: dict[str, str], extras: str = "") -> str:
    version = versions.get(package, DEFAULT_VERSIONS if package.startswith("aether-") else "").strip()
    return f"{package}{extras} {version}" if version.startswith("@") else f"{package}{extras}{version}"


def _merge(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    for key, value in ours.items():
        if key == "scripts":
            scripts = theirs.setdefault(key, {})
            if isinstance(scripts, dict):
                for name, script in value.items():
                    scripts.setdefault(name, script)
        elif key == "extra-dependencies":
            theirs[key] = _with_missing(theirs, value)
        else:
            theirs.setdefault(key, value)


def _with_missing(theirs: dict[str, Any], requirements: list[str]) -> Any:  # noqa: ANN401 - the user's value, as it is
    """Return the user's extra dependencies, and ours for packages that the user does not require."""
    given = theirs.get("extra-dependencies", [])
    if not isinstance(given, list):
        return given  # Hatch reports it
    required = {_package(item) for item in [*given, *theirs.get("dependencies", [])] if isinstance(item, str)}
    return [*given, *(item for item in requirements if _package(item) not in required)]


def _package(requirement: str) -> str:
    match = _NAME.match(requirement.strip())
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""

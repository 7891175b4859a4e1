"""Find bench commands in the texts of the usual files. Pure."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from aether_guard.init.model import BenchCommand, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: Files in the repository's top folder that may define bench commands.
SOURCES = (
    "hatch.toml",
    "pyproject.toml",
    "package.json",
    "justfile",
    "Justfile",
    ".justfile",
    "GNUmakefile",
    "makefile",
    "Makefile",
    "noxfile.py",
    "tox.ini",
    "tox.toml",
    "Cargo.toml",
)
_LOCKS: tuple[tuple[str, Tool], ...] = (
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
)
# Names go into a shell line of a workflow, so they must have no special meaning in a shell, YAML or an expression.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]*")
_MEASURES = re.compile(r"\baether-bench\s+run\b")
_PLUGIN = re.compile(r"\s*(aether(?:[-_.][a-z0-9]+)+[-_.]bench)(?![-_.\w])([^;#]*)", re.IGNORECASE)
_VERSIONS = re.compile(r"[<>=!~]=?[0-9A-Za-z.*+!]+(?:,[<>=!~]=?[0-9A-Za-z.*+!]+)*")
_BENCH_FILE = (r"^\s*(from|import)\s+aether_harness\b", r"^@.*\bbench\b")
_WHOLE = ("bench", "benchmark", "benchmarks")
_ALL = ("all", "run", "default")
_NOT_A_BENCH = re.compile(r"baseline|check|clean|compar|diff|doctor|fmt|format|lint|list|noise|plot|report|save|update")


def find_commands(texts: Mapping[str, str], names: Iterable[str]) -> tuple[tuple[BenchCommand, ...], tuple[str, ...]]:
    """Return the bench commands in `texts`, likeliest first, and messages about unreadable files.

    Args:
        texts: file contents by path.
        names: entries of the repository's top folder, whose lock files identify the tool in use.

    """
    found: list[BenchCommand] = []
    unread: list[str] = []
    documents: dict[str, Any] = {}
    for path, text in texts.items():
        try:
            if path.endswith(".toml"):
                documents[path] = msgspec.toml.decode(text)
            elif path == "package.json":
                documents[path] = msgspec.json.decode(text)
            else:
                found += _in_text(path, text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, configparser.Error, msgspec.MsgspecError):
            unread.append(f"{path}: cannot be parsed")
    found += _in_documents(documents, set(names))
    found += _plugins(texts, documents)
    found += _cargo(documents)
    plain = [item for item in found if all(map(_PLAIN.fullmatch, item.name.split(" ")))]
    unread += [f"{item.source}: a name with special characters" for item in found if item not in plain]
    return tuple(dict.fromkeys(sorted(plain, key=_likelihood))), tuple(dict.fromkeys(unread))


def _likelihood(item: BenchCommand) -> tuple[bool, bool, int, int, int, str]:
    """Return a sort key: commands that write summaries come first, then the usual files, then whole names."""
    last = re.split(r"[:.]", item.name)[-1]
    whole = 0 if item.name in _WHOLE else 1 if last in _ALL else 2
    source = SOURCES.index(item.source) if item.source in SOURCES else len(SOURCES)
    return not item.measures, bool(_NOT_A_BENCH.search(item.name)), source, whole, len(item.name), item.command


def _looks_like_bench(name: str) -> bool:
    return "bench" in name.lower().replace("workbench", "")


def _table(document: object, *keys: str) -> dict[str, Any]:
    """Return the table at `keys`, or an empty table."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _scripts(source: str, tool: Tool, start: str, scripts: Mapping[str, object]) -> Iterator[BenchCommand]:
    for name, script in scripts.items():
        if _looks_like_bench(name):
            measures = bool(_MEASURES.search(str(script)))
            yield BenchCommand(command=f"{start} {name}", name=name, source=source, tool=tool, measures=measures)


def _in_documents(documents: Mapping[str, Any], names: set[str]) -> Iterator[BenchCommand]:
    project = documents.get("pyproject.toml")
    yield from _hatch("hatch.toml", _table(documents.get("hatch.toml"), "envs"))
    yield from _hatch("pyproject.toml", _table(project, "tool", "hatch", "envs"))
    yield from _scripts("pyproject.toml", "pdm", "pdm run", _table(project, "tool", "pdm", "scripts"))
    yield from _scripts("pyproject.toml", "poe", "poe", _table(project, "tool", "poe", "tasks"))
    yield from _scripts("pyproject.toml", "task", "task", _table(project, "tool", "taskipy", "tasks"))
    yield from _scripts("pyproject.toml", "tox", "tox run -e", _table(project, "tool", "tox", "env"))
    yield from _scripts("tox.toml", "tox", "tox run -e", _table(documents.get("tox.toml"), "env"))
    manager: Tool = next((tool for lock, tool in _LOCKS if lock in names), "npm")
    yield from _scripts("package.json", manager, f"{manager} run", _table(documents.get("package.json"), "scripts"))
    for name in _table(project, "project", "scripts"):
        if _looks_like_bench(name):
            source = "pyproject.toml"
            yield BenchCommand(command=name, name=name, source=source, tool="python", install=(".",))


def _hatch(source: str, envs: Mapping[str, object]) -> Iterator[BenchCommand]:
    for env, table in envs.items():
        scripts = _table(table, "scripts")
        whole = [name for name in scripts if name in _ALL]
        for name, script in scripts.items():
            if _looks_like_bench(name) or (_looks_like_bench(env) and (name in whole or not whole)):
                script_name = name if env == "default" else f"{env}:{name}"
                measures = bool(_MEASURES.search(str(script)))
                yield BenchCommand(
                    command=f"hatch run {script_name}", name=script_name, source=source, tool="hatch", measures=measures
                )


def _in_text(path: str, text: str) -> Iterator[BenchCommand]:
    base = os.path.basename(path).lower()
    if base.endswith("makefile"):
        yield from _scripts(path, "make", "make", _rules(text, _targets))
    elif base.endswith("justfile"):
        yield from _scripts(path, "just", "just", _rules(text, _recipes))
    elif path == "noxfile.py":
        yield from _scripts(path, "nox", "nox -s", dict(_sessions(text)))
    elif path == "tox.ini":
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(text)
        environments = [name for name in parser.sections() if name.startswith("testenv:")]
        bodies = {name.removeprefix("testenv:"): str(dict(parser[name])) for name in environments}
        yield from _scripts(path, "tox", "tox run -e", bodies)


def _rules(text: str, names_in: Callable[[str], list[str]]) -> dict[str, str]:
    """Return the body of each target or recipe whose name starts with `bench`."""
    bodies: dict[str, str] = {}
    names: list[str] = []
    for line in text.splitlines():
        if line[:1] in {" ", "\t", ""}:
            bodies.update((name, f"{bodies[name]}\n{line}") for name in names)
        elif not line.startswith("#"):
            names = [name for name in names_in(line) if name.startswith("bench")]
            bodies.update((name, "") for name in names if name not in bodies)
    return bodies


def _targets(line: str) -> list[str]:
    """Return the targets of a makefile rule; empty for other lines, such as an assignment."""
    rule = re.match(r"([^:=#]+)::?(?!=)", line)
    return rule[1].split() if rule else []


def _recipes(line: str) -> list[str]:
    """Return the name of a justfile recipe, unless it has a parameter without a default."""
    recipe = re.match(r"@?([\w-]+)((?:\s[^:]*)?):(?!=)", line)
    if recipe is None or any("=" not in word and word[0] != "*" for word in recipe[2].split()):
        return []
    return [recipe[1]]


def _sessions(text: str) -> Iterator[tuple[str, str]]:
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            function = decorator.func if isinstance(decorator, ast.Call) else decorator
            if ast.unparse(function) not in {"nox.session", "session"}:
                continue
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            values = [word.value for word in keywords if word.arg == "name"]
            keyword = values[0].value if values and isinstance(values[0], ast.Constant) else None
            name = keyword if isinstance(keyword, str) else node.name
            # A session passes the words of a command as separate arguments.
            yield name, re.sub(r"""["',\s]+""", " ", ast.unparse(node))


def _plugins(texts: Mapping[str, str], documents: Mapping[str, Any]) -> Iterator[BenchCommand]:
    """Yield the commands that run installed benches, and `@bench` functions in the repository's files."""
    project = documents.get("pyproject.toml")
    here = (".",) if _table(project, "project") and _table(project, "build-system") else ()
    required: dict[str, str] = {}
    for path, text in texts.items():
        lines = text.splitlines() if path.endswith(".txt") else _requirements(path, documents.get(path))
        for line in lines:
            if requirement := _requirement(line):
                required.setdefault(requirement, path)
    if _table(project, "project", "entry-points", "aether.benches"):
        required["."] = "pyproject.toml"
    files = [path for path, text in texts.items() if path.endswith(".py") and _is_bench_file(text)]
    runs = ("aether-harness", *here)
    for arguments, source, install in (
        ([], next(iter(required.values()), ""), tuple(required)),
        (files, next(iter(files), ""), runs),
    ):
        if source:
            command = " ".join(["aether-bench run", *arguments])
            name = " ".join(arguments) or "run"
            tool: Tool = "python"
            yield BenchCommand(command=command, name=name, source=source, tool=tool, measures=True, install=install)


def _is_bench_file(text: str) -> bool:
    """Return whether a Python file defines functions with the harness's decorator `@bench`."""
    return all(re.search(sign, text, re.MULTILINE) for sign in _BENCH_FILE)


def _requirements(path: str, document: object) -> Iterator[str]:
    if path in {"hatch.toml", "pyproject.toml"}:
        yield from _strings(document, inside=False)


def _strings(document: object, *, inside: bool) -> Iterator[str]:
    """Yield the strings and keys in a document's tables and arrays of dependencies."""
    if isinstance(document, dict):
        for key, value in document.items():
            if inside:
                yield str(key)
            yield from _strings(value, inside=inside or "dependenc" in key)
    elif isinstance(document, list) and inside:
        yield from (value for value in document if isinstance(value, str))


def _requirement(text: str) -> str | None:
    """Return `text` quoted for a shell if it requires a published bench, else None."""
    match = _PLUGIN.match(text)
    if match is None:
        return None
    name = re.sub(r"[-_.]+", "-", match[1]).lower()
    versions = re.sub(r"\s+", "", match[2])
    return shlex.quote(name + versions) if _VERSIONS.fullmatch(versions) else name


def _cargo(documents: Mapping[str, Any]) -> Iterator[BenchCommand]:
    crates = [path for path in documents if os.path.basename(path) == "Cargo.toml"]
    benched = [path for path in crates if _table(documents[path]) and documents[path].get("bench")]
    root = documents.get("Cargo.toml")
    if benched and _table(root, "workspace"):
        yield BenchCommand(command="cargo bench --workspace", name="bench", source="Cargo.toml", tool="cargo")
    elif "Cargo.toml" in benched:
        yield BenchCommand(command="cargo bench", name="bench", source="Cargo.toml", tool="cargo")
    else:
        for path in benched:
            yield BenchCommand(command=f"cargo bench --manifest-path {path}", name=path, source=path, tool="cargo")

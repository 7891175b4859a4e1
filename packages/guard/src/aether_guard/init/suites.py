"""Recognize benchmark suites of other tools by their configuration and their source files. Pure."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from aether_guard.init.model import BenchSuite, SuiteRun
from aether_guard.init.paths import DEFAULT_CURRENT, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: More files than this are named by their common folder.
_FILES_NAMED = 3
#: More scripts than this take too long for one comparison.
_SCRIPTS_LIMIT = 20
#: Files with options of pytest, besides `pyproject.toml` and `tox.ini`.
PYTEST_FILES = ("pytest.ini", "setup.cfg")
#: Options under which pytest-benchmark does not measure.
_NOT_MEASURED = re.compile(
    r"""addopts(?s:.)*?[\s"'=](-n[\s=,"']*(auto|logical|\d+)|--numprocesses|--dist|--cov|--benchmark-(disable|skip))\b"""
)
_IMPORT = re.compile(r"^\s*(?:from|import)\s.*$", re.MULTILINE)
_ASV_MACHINE = "ci"
#: Short runs of asv: one process per benchmark, 10 samples of 10 ms.
_ASV_SHORT = "-a rounds=1 -a warmup_time=0.1 -a sample_time=0.01"
#: Seconds per benchmark in one run under `ab`, which repeats the run.
_AB_BENCH_S = 0.1

#: Files that show a suite: its tool, a pattern for the name, and a pattern for the content.
SIGNS: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "pytest-benchmark",
        re.compile(r".*(test|bench).*\.py"),
        re.compile(r"^\s*(async )?def \w+\([^)]*\bbenchmark\b", re.MULTILINE),
    ),
    ("pytest-codspeed", re.compile(r".*(test|bench).*\.py"), re.compile(r"\bpytest\.mark\.benchmark\b")),
    ("asv", re.compile(r"asv\.conf\.jsonc?"), re.compile(r"")),
    (
        "pyperf",
        re.compile(r".*\.py"),
        re.compile(r"\bpyperf\.Runner\(|^\s*from pyperf import .*\bRunner\b", re.MULTILINE),
    ),
    ("cargo", re.compile(r"Cargo\.toml"), re.compile(r"\b(criterion2?|codspeed-criterion-compat|divan)\b")),
    ("go", re.compile(r".*_test\.go"), re.compile(r"^func Benchmark\w*\(\w+ \*testing\.B\)", re.MULTILINE)),
    ("vitest", re.compile(r".*\.bench\.[cm]?[jt]sx?"), re.compile(r"")),
    ("jmh", re.compile(r"pom\.xml|build\.gradle(\.kts)?"), re.compile(r"\bjmh\b")),
    ("google-benchmark", re.compile(r"CMakeLists\.txt"), re.compile(r"\bbenchmark::benchmark(_main)?\b")),
    ("hyperfine", re.compile(r".*\.(sh|bash)|(GNU)?[Mm]akefile|[Jj]ustfile"), re.compile(r"\bhyperfine\s+[-'\"\w]")),
)


def matching_signs(name: str) -> list[tuple[str, re.Pattern[str]]]:
    """Return the tools that a file with this name may show, each with the pattern for the content."""
    return [(tool, content) for tool, names, content in SIGNS if names.fullmatch(name)]


def find_suites(
    signs: Mapping[str, Mapping[str, str]], texts: Mapping[str, str], names: Sequence[str]
) -> tuple[BenchSuite, ...]:
    """Return the suites of a repository, in the order of SIGNS.

    Args:
        signs: for each tool, the files that show it, with their contents.
        texts: contents of the usual files, such as `pyproject.toml`, by path.
        names: entries of the repository's top folder.

    """
    recognizers: dict[str, Callable[[Mapping[str, str], _Repository], Iterator[BenchSuite]]] = {
        "pytest-benchmark": _pytest,
        "pytest-codspeed": _codspeed,
        "asv": _asv,
        "pyperf": _pyperf,
        "cargo": _cargo,
        "go": _go,
        "vitest": _vitest,
        "jmh": _jmh,
        "google-benchmark": _google_benchmark,
        "hyperfine": _hyperfine,
    }
    repository = _Repository(texts, names)
    return tuple(
        suite
        for tool, recognize in recognizers.items()
        if (files := {path: text for path, text in signs.get(tool, {}).items() if is_plain(path)})
        for suite in recognize(files, repository)
    )


class _Repository:
    """The usual files of a repository."""

    def __init__(self, texts: Mapping[str, str], names: Sequence[str]) -> None:
        self.texts = texts
        self.names = names
        self.project = _decoded(texts.get("pyproject.toml", ""), msgspec.toml.decode)
        self.package = _decoded(texts.get("package.json", ""), msgspec.json.decode)

    def python_requirements(self, tool: str, files: Iterable[str] = ()) -> tuple[str, ...]:
        """Return arguments of `pip install` for the project and a tool: the place that requires it, or its name.

        The project comes with the extras whose packages the texts `files` import, also through the project.
        """
        project = self.project.get("project", {})
        extras = _items(project.get("optional-dependencies"))
        imported = {
            word.lower() for text in files for line in _IMPORT.findall(text) for word in re.findall(r"\w+", line)
        }
        chosen = [
            name
            for name, requirements in extras
            if tool in _required(requirements)
            or {each.replace("-", "_") for each in _required(requirements)} & imported
        ]
        is_package = "project" in self.project or "build-system" in self.project or "setup.py" in self.names
        own = ("-e", f".[{','.join(chosen)}]" if chosen else ".") if is_package else ()
        if any(tool in _required(requirements) for name, requirements in extras if name in chosen):
            return own
        for group, requirements in _items(self.project.get("dependency-groups")):
            if tool in _required(requirements):
                return (*own, "--group", group)
        for path, text in self.texts.items():
            if path.endswith(".txt") and is_plain(path) and tool in _required(text.splitlines()):
                return (*own, "-r", path)
        return (*own, tool)


def _pytest(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    requirements = repository.python_requirements("pytest-benchmark", files.values())
    if requirements[-1] == "pytest-benchmark":
        # Fixtures of pytest-codspeed run under pytest-benchmark as well.
        place = repository.python_requirements("pytest-codspeed", files.values())
        is_named = place[-1] == "pytest-codspeed"
        requirements = (*requirements, "pytest") if is_named else (*place, "pytest-benchmark")
    paths = shlex.join(_named_or_folder(list(files)))
    codspeed = " -p no:codspeed" if any("codspeed" in text for text in repository.texts.values()) else ""
    configured = [
        text for path, text in repository.texts.items() if path in {*PYTEST_FILES, "pyproject.toml", "tox.ini"}
    ]
    options = " -o addopts=" if any(map(_NOT_MEASURED.search, configured)) else ""
    command = f"python -m pytest {paths} --benchmark-only{codspeed}{options} -q"
    current = f"{DEFAULT_CURRENT}/pytest-benchmark.json"
    yield BenchSuite(
        tool="pytest-benchmark",
        source=min(files),
        format="pytest-benchmark",
        install=_pip(requirements),
        measure=(f"mkdir -p {DEFAULT_CURRENT}", f"{command} --benchmark-json {current}"),
        current=current,
        compare=SuiteRun(
            run=f"{command} --benchmark-max-time={_AB_BENCH_S} --benchmark-json {{out}}", setup=(_uv(requirements),)
        ),
    )


def _codspeed(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    del repository
    fixture = next(content for tool, _, content in SIGNS if tool == "pytest-benchmark")
    marked = [path for path, text in files.items() if not fixture.search(text)]
    if marked:
        yield BenchSuite(
            tool="pytest-codspeed",
            source=min(marked),
            remark=f"tests in {min(marked)} are benchmarks by a marker, which only pytest-codspeed measures: give them "
            "the fixture `benchmark`",
        )


def _asv(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    path = min(files, key=lambda path: (path.count("/"), path))
    folder = posixpath.dirname(path)
    document = _decoded(_without_comments(files[path]), msgspec.json.decode)
    results = document.get("results_dir", "results")
    if not isinstance(results, str) or not is_plain(results):
        return
    # asv writes into a folder for each machine.
    results = posixpath.normpath(posixpath.join(folder, results, _ASV_MACHINE))
    packages = document.get("matrix", {})
    packages = packages.get("req", packages) if isinstance(packages, dict) else {}
    wanted = [name for name in packages if _PLAIN_NAME.fullmatch(str(name))]
    requirements = (*repository.python_requirements("asv"), *wanted)
    if "asv" not in requirements:
        requirements = (*requirements, "asv")
    options = f"--config {path} --python=same --machine {_ASV_MACHINE} --set-commit-hash HEAD"
    machine = f"python -m asv machine --config {path} --yes --machine {_ASV_MACHINE}"
    yield BenchSuite(
        tool="asv",
        source=path,
        format="asv",
        install=_pip(requirements),
        measure=(machine, f"python -m asv run {options}"),
        current=results,
        compare=SuiteRun(
            run=f"sh -c '{machine} && python -m asv run {options} {_ASV_SHORT}'",
            results=results,
            setup=(_uv(requirements),),
        ),
    )


def _pyperf(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    scripts = sorted(files)[:_SCRIPTS_LIMIT]
    requirements = repository.python_requirements("pyperf", files.values())
    out = f"{DEFAULT_CURRENT}/pyperf"
    folders: dict[str, list[str]] = {}
    for script in scripts:
        folders.setdefault(posixpath.dirname(script), []).append(_stem(posixpath.basename(script)))

    def commands(options: str) -> list[str]:
        loops = [f"mkdir -p {out}"]
        for folder, names in folders.items():
            script = posixpath.join(folder, "$name.py")
            result = posixpath.join(out, (f"{folder.replace('/', '-')}-" if len(folders) > 1 else "") + "$name.json")
            loops.append(f"for name in {' '.join(names)}; do python {script}{options} -o {result} || exit 1; done")
        return loops

    yield BenchSuite(
        tool="pyperf",
        source=scripts[0],
        format="pyperf",
        install=_pip(requirements),
        measure=tuple(commands("")),
        current=out,
        compare=SuiteRun(
            run=f"sh -c '{'; '.join(commands(' --processes 1'))}'", results=out, setup=(_uv(requirements),)
        ),
    )


def _cargo(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    del repository
    for path, text in sorted(files.items()):
        document = _decoded(text, msgspec.toml.decode)
        names = _dependency_names(document)
        folder = posixpath.dirname(path)
        if names & {"criterion", "criterion2", "codspeed-criterion-compat"}:
            where = "" if not folder else f" --manifest-path {path}"
            results = posixpath.normpath(posixpath.join(folder, "target/criterion"))
            is_member = folder and "workspace" in _decoded(files.get("Cargo.toml", ""), msgspec.toml.decode)
            yield BenchSuite(
                tool="criterion",
                source=path,
                format="criterion",
                measure=(f"cargo bench{where}",),
                current="target/criterion" if is_member else results,
                compare=SuiteRun(run=f"cargo bench{where}", results="target/criterion" if is_member else results),
                image="rust:1",
            )
            return
        if "divan" in names:
            yield BenchSuite(
                tool="divan",
                source=path,
                remark="divan writes no result file: compare its programs with `aether-guard ab --exec-a … --exec-b …`",
            )
            return


def _go(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    del repository
    current = f"{DEFAULT_CURRENT}/go.txt"
    yield BenchSuite(
        tool="go",
        source=min(files),
        format="go",
        measure=(f"mkdir -p {DEFAULT_CURRENT}", f"go test -run=NONE -bench=. -count=10 ./... > {current}"),
        current=current,
        compare=SuiteRun(run="sh -c 'go test -run=NONE -bench=. ./... > {out}'"),
        image="golang:1",
    )


def _vitest(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    needed = {**repository.package.get("devDependencies", {}), **repository.package.get("dependencies", {})}
    if "vitest" not in needed:
        return
    current = f"{DEFAULT_CURRENT}/vitest.json"
    install = _node_install(repository.names)
    yield BenchSuite(
        tool="vitest",
        source=min(files),
        format="vitest",
        install=install,
        measure=(f"npx vitest bench --run --outputJson {current}",),
        current=current,
        compare=SuiteRun(run="npx vitest bench --run --outputJson {out}", setup=install),
        image="node:22",
    )


def _jmh(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    del repository
    path = min(files, key=lambda path: (not path.endswith("pom.xml"), path.count("/"), path))
    current = f"{DEFAULT_CURRENT}/jmh.json"
    if not path.endswith("pom.xml"):
        yield BenchSuite(
            tool="jmh",
            source=path,
            remark="JMH under Gradle: set `resultFormat = 'JSON'` in the `jmh` block, and compare the file that it "
            "writes with `aether-guard check --from jmh`",
        )
        return
    folder = posixpath.dirname(path) or "."
    build = f"mvn -q -f {path} package -DskipTests"
    jar = posixpath.normpath(posixpath.join(folder, "target/benchmarks.jar"))
    yield BenchSuite(
        tool="jmh",
        source=path,
        format="jmh",
        measure=(build, f"mkdir -p {DEFAULT_CURRENT}", f"java -jar {jar} -rf json -rff {current}"),
        current=current,
        compare=SuiteRun(run=f"java -jar {jar} -f 1 -rf json -rff {{out}}", setup=(build,)),
        image="maven:3-eclipse-temurin-21",
    )


def _google_benchmark(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    if "CMakeLists.txt" not in repository.names:
        return
    linked = re.compile(r"target_link_libraries\s*\(\s*([\w.-]+)[^)]*\bbenchmark::benchmark", re.DOTALL)
    for path, text in sorted(files.items()):
        if (target := linked.search(text)) is None:
            continue
        program = posixpath.normpath(posixpath.join("build", posixpath.dirname(path), target[1]))
        builds = ("cmake -S . -B build -DCMAKE_BUILD_TYPE=Release", "cmake --build build --parallel")
        current = f"{DEFAULT_CURRENT}/google-benchmark.json"
        options = "--benchmark_out_format=json --benchmark_out="
        yield BenchSuite(
            tool="google-benchmark",
            source=path,
            format="google-benchmark",
            install=builds,
            measure=(f"mkdir -p {DEFAULT_CURRENT}", f"{program} --benchmark_repetitions=10 {options}{current}"),
            current=current,
            compare=SuiteRun(run=f"{program} {options}{{out}}", setup=builds),
            image="gcc:14",
            remark=f"whether {program} is the path of the benchmark's program",
        )
        return


def _hyperfine(files: Mapping[str, str], repository: _Repository) -> Iterator[BenchSuite]:
    del repository
    for path, text in sorted(files.items()):
        found = re.search(r"--export-json[= ]+([\w./-]+)", text)
        if found is None or not path.endswith((".sh", ".bash")):
            yield BenchSuite(
                tool="hyperfine",
                source=path,
                remark=f"hyperfine in {path}: add `--export-json {DEFAULT_CURRENT}/hyperfine.json`, and compare that "
                "file with `aether-guard check --from hyperfine`",
            )
        else:
            yield BenchSuite(
                tool="hyperfine",
                source=path,
                format="hyperfine",
                measure=(f"sh {path}" if path.endswith(".sh") else f"bash {path}",),
                current=posixpath.normpath(found[1]),
            )
        return


def _node_install(names: Sequence[str]) -> tuple[str, ...]:
    if "pnpm-lock.yaml" in names:
        return ("corepack enable", "pnpm install --frozen-lockfile")
    if "yarn.lock" in names:
        return ("corepack enable", "yarn install")
    return ("npm ci",) if "package-lock.json" in names else ("npm install",)


def _named_or_folder(paths: list[str]) -> list[str]:
    """Return the files, or their common folder if they are many."""
    if len(paths) <= _FILES_NAMED:
        return sorted(paths)
    folders = {posixpath.dirname(path) or "." for path in paths}
    return [posixpath.commonpath(folders) or "."] if len(folders) > 1 and "." not in folders else sorted(folders)[:1]


def _required(requirements: object) -> set[str]:
    """Return the normalized names in a list of requirements."""
    return {
        re.sub(r"[-_.]+", "-", found[0]).lower()
        for item in (requirements if isinstance(requirements, list) else ())
        if isinstance(item, str) and (found := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", item.strip().strip("'\",")))
    }


def _items(table: object) -> list[tuple[str, Any]]:
    """Return the items of a table of names with nothing special in a shell."""
    items = table.items() if isinstance(table, dict) else ()
    return [(str(name), value) for name, value in items if _PLAIN_NAME.fullmatch(str(name))]


def _dependency_names(document: object) -> set[str]:
    """Return the names in every table of dependencies of a `Cargo.toml`, also of targets and workspaces."""
    found: set[str] = set()
    if isinstance(document, dict):
        for key, value in document.items():
            if key.endswith("dependencies") and isinstance(value, dict):
                found.update(value)
                renamed = [each.get("package") for each in value.values() if isinstance(each, dict)]
                found.update(name for name in renamed if isinstance(name, str))
            else:
                found |= _dependency_names(value)
    return found


def _decoded(text: str, decode: Callable[[str], Any]) -> dict[str, Any]:
    """Return a document's top table; empty if the text is none."""
    try:
        document = decode(text)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return {}
    return document if isinstance(document, dict) else {}


def _without_comments(text: str) -> str:
    """Return JSON without lines of comments and without commas before a closing bracket."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("//")]
    return re.sub(r",(\s*[}\]])", r"\1", "\n".join(lines))


def _stem(path: str) -> str:
    return os.path.splitext(path.replace("/", "-"))[0]


def _pip(requirements: Sequence[str]) -> tuple[str, ...]:
    install = f"python -m pip install {shlex.join(requirements)}"
    # An older pip knows no groups.
    return ("python -m pip install --upgrade pip", install) if "--group" in requirements else (install,)


def _uv(requirements: Sequence[str]) -> str:
    return f"uv pip install --python {{python}} {shlex.join(requirements)}"

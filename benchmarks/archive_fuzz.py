"""Verify damaged and hostile archives, and print their number by outcome: `hatch run bench:pack-fuzz`.

Every archive is a tar (plain, gzip, zstd, xz) or zip of a small tree. Members are changed, added, duplicated or
truncated, or bytes are changed before or after compression. Each archive must be verified, or refused in one line,
within a time limit, and nothing outside of its folder may change.
"""

from __future__ import annotations

import argparse
import gzip
import io
import lzma
import random
import shutil
import signal
import stat
import struct
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import zstandard

from aether_harness import BenchError
from aether_harness.machine.counters import peak_memory_bytes
from aether_pack_bench.archive.verify import verify_artifact
from aether_pack_bench.manifest import Manifest, hash_tree

if TYPE_CHECKING:
    from collections.abc import Callable

#: Limits of CPU time and of elapsed time per archive.
CPU_LIMIT_S, LIMIT_S = 10, 3600
BYTES = b"12345678"
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "store": bytes,
    "tar.gz": partial(gzip.compress, compresslevel=1),
    "tar.zst": zstandard.compress,
    "tar.xz": partial(lzma.compress, preset=0),
}
FORMS = [*COMPRESSORS, "zip"]
KNOWN = ("d", "d/canary", "e", "f", "l", "n", "n/n", "n/n/n", "run", "ü", "long" * 40, "sparse")
NAMES = (
    *KNOWN * 4,
    *("../outside/canary", "{outside}/canary", "{outside}", "..", ".", "", "/", "./e", "d//canary", "l/canary", "e/e"),
    *("d/../../outside/canary", "a\nb", "a\x1b[2J", "\udcff", "x" * 255, "x" * 256, "d/" * 60, "d/" * 3000 + "e"),
    *("C:\\e", "nul", "..\\e", "e:stream", "x\0y"),
)
KINDS = [
    *(bytes([each]) for each in b"0125134567LKxgXSDMVA\0"),
    *(tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE) * 5,
]
SIZES = (0, 1, 7, 9, 511, 512, 513, 10_000, 2**31, 2**33, 2**40, 2**62, 2**63 - 1)
RECORDS = (
    *("path", "linkpath", "size", "mtime", "uid", "hdrcharset", "charset", "GNU.sparse.major", "GNU.sparse.minor"),
    *("GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.realsize", "GNU.sparse.numblocks", "GNU.sparse.name"),
)
VALUES = (
    "",
    "0",
    "1",
    "-1",
    "8",
    "9" * 30,
    "9" * 4301,
    "BINARY",
    "nan",
    "0,8",
    "0,1,4,4",
    "-8,8",
    "1e9",
    "\0",
    "ü",
    "x=y\n",
)
NUMBERS = (0, 1, 8, 9, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


class TooLongError(BaseException):
    """An archive took longer than its time limit."""


def plant(root: Path) -> Manifest:
    """Make the tree that the archives claim to hold, and return its manifest."""
    for name in ("d", "n/n"):
        (root / name).mkdir(parents=True)
    for name in ("d/canary", "e", "f", "n/n/n", "run", "ü", "long" * 40):
        (root / name).write_bytes(BYTES)
    (root / "run").chmod(0o755)
    (root / "l").symlink_to("e")
    (root / "sparse").write_bytes(BYTES + bytes(2**16))
    return hash_tree(str(root))


class Forger:
    """A generator of archives, with `draw` as its only source of randomness."""

    def __init__(self, root: Path, outside: Path, draw: random.Random) -> None:
        """Make archives of the tree `root`, with links and names that point to `outside`."""
        self._root = root
        self._outside = outside
        self._draw = draw

    def archive(self, form: str) -> bytes:
        """Return the next archive of the format `form`."""
        if form == "zip":
            return self._damaged(self._zip(), 0.2)
        return self._damaged(COMPRESSORS[form](self._damaged(self._tar(), 0.2)), 0.2)

    def _name(self) -> str:
        return self._draw.choice(NAMES).replace("{outside}", str(self._outside))

    def _tar(self) -> bytes:
        draw, content = self._draw, io.BytesIO()
        form = draw.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
        with tarfile.open(fileobj=content, mode="w", format=form) as archive:
            archive.add(self._root, ".")
            archive.members.clear()
        blocks = [content.getvalue()[at : at + 512] for at in range(0, len(content.getvalue()), 512)]
        for _ in range(draw.choice((0, 1, 1, 2, 4))):
            headers = [at for at, block in enumerate(blocks) if block[257:262] == b"ustar"]
            at = draw.choice(headers) if headers else 0
            how = draw.randrange(5)
            if how == 0:
                blocks[at] = self._changed(blocks[at])
            elif how == 1:
                del blocks[at : at + draw.choice((1, 2))]
            elif how == 2:
                blocks[at:at] = blocks[at : at + draw.choice((1, 2, 3))] * draw.choice((1, 1, 20))
            elif how == 3:
                blocks[at:at] = [self._attack()]
            else:
                blocks[at:at] = [self._records()] * draw.choice((1, 1, 30))
        return b"".join(blocks)

    def _attack(self) -> bytes:
        """Return members that lead out of the folder if a link among them is followed."""
        draw = self._draw
        first, second = draw.sample(KNOWN[:5], 2)
        target = draw.choice(
            ("../outside", "../outside/canary", str(self._outside / "canary"), "..", ".", second, self._name())
        )
        members = [
            self._member(first, tarfile.SYMTYPE, target),
            self._member(second, tarfile.LNKTYPE, draw.choice((first, f"{first}/canary", "../outside/canary", second))),
            self._member(draw.choice((first, second, f"{first}/canary", self._name())), tarfile.REGTYPE),
        ]
        if draw.random() < 0.3:
            draw.shuffle(members)
        return b"".join(members)

    def _member(self, name: str, kind: bytes, target: str = "") -> bytes:
        header = tarfile.TarInfo(name)
        header.type, header.linkname = kind, target
        header.size = len(BYTES) if kind == tarfile.REGTYPE else 0
        header.mode = self._draw.choice((0o644, 0o755, 0, 0o7777))
        head = header.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        return head + (BYTES.ljust(512, b"\0") if header.size else b"")

    def _changed(self, block: bytes) -> bytes:
        """Return a header with one field changed and, usually, a correct checksum."""
        draw, header = self._draw, bytearray(block)
        how = draw.randrange(6)
        if how == 0:
            header[:100] = self._name().encode("utf-8", "surrogateescape")[:100].ljust(100, b"\0")
        elif how == 1:
            header[157:257] = self._name().encode("utf-8", "surrogateescape")[:100].ljust(100, b"\0")
        elif how == 2:
            header[156:157] = draw.choice(KINDS)
        elif how == 3:
            size = draw.choice(SIZES)
            coded = b"\x80" + size.to_bytes(11, "big")
            header[124:136] = draw.choice(
                (b"%011o\0" % size if size < 8**11 else coded, coded, b"\xff" * 12, b"9" * 12)
            )
        elif how == 4:
            header[386:512] = (
                draw.randbytes(126)
                if draw.random() < 0.3
                else b"".join(b"%011o\0" % draw.choice((0, 8, 512, 2**20, 2**32)) for _ in range(10)) + b"\1" * 6
            )  # the map of a sparse file
        else:
            at = draw.randrange(512)
            header[at : at + 8] = draw.randbytes(8)
        if draw.random() < 0.95:
            header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:512]) + 8 * ord(" "))
        return bytes(header[:512])

    def _records(self) -> bytes:
        """Return an extended header with random records."""
        draw, content = self._draw, b""
        for _ in range(draw.choice((1, 2, 4))):
            value = draw.choice((*VALUES, self._name())).encode("utf-8", "surrogateescape")
            body = b" " + draw.choice(RECORDS).encode() + b"=" + value + b"\n"
            length = len(body) + len(str(len(body) + 3))
            content += draw.choice((str(length), str(length), str(length), "0", "1", "9" * 4301)).encode() + body
        content = draw.choice((content, content, content, b"2 " * 5000 + b"=", b"1" * 10_000))
        header = tarfile.TarInfo("header")
        header.type, header.size = draw.choice((b"x", b"x", b"g", b"L", b"K", b"X")), len(content)
        return header.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)

    def _zip(self) -> bytes:
        draw, content = self._draw, io.BytesIO()
        names = list(KNOWN)
        for _ in range(draw.choice((0, 1, 1, 3))):
            names.insert(draw.randrange(len(names) + 1), self._name())
        with zipfile.ZipFile(content, "w") as archive:
            for name in names:
                member, data = self._zip_member(name)
                archive.writestr(member, data)
        raw = bytearray(content.getvalue())
        for _ in range(draw.choice((0, 0, 1, 3))):
            places = [at for mark in (b"PK\1\2", b"PK\3\4", b"PK\5\6") for at in _places(raw, mark)]
            at = draw.choice(places) + 4 + 2 * draw.randrange(20)
            number = struct.pack("<I", draw.choice(NUMBERS))[: draw.choice((2, 4))]
            raw[at : at + len(number)] = number
        return bytes(raw)

    def _zip_member(self, name: str) -> tuple[zipfile.ZipInfo, bytes]:
        draw, path = self._draw, self._root / "e"
        if name in KNOWN:
            path = self._root / name
        mode = path.lstat().st_mode
        data = b"" if stat.S_ISDIR(mode) else b"e" if stat.S_ISLNK(mode) else path.read_bytes()
        if draw.random() < 0.1:
            mode = (
                draw.choice((stat.S_IFLNK, stat.S_IFLNK, stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR))
                | 0o777
            )
            data = draw.choice((b"../outside", b"../outside/canary", data, bytes(100_000)))
        member = zipfile.ZipInfo("x")
        member.filename = name.encode("utf-8", "replace").decode() + "/" * stat.S_ISDIR(mode)
        member.external_attr, member.create_system = mode << 16, draw.choice((3, 3, 3, 0))
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        member.compress_type = draw.choice(methods)
        return member, data

    def _damaged(self, data: bytes, share: float) -> bytes:
        """Return the bytes, with the probability `share` after changing, duplicating or truncating some of them."""
        draw, raw = self._draw, bytearray(data)
        if draw.random() < share:
            for _ in range(draw.choice((1, 1, 4))):
                at = draw.randrange(len(raw) + 1)
                how = draw.randrange(5)
                if how == 0:
                    del raw[at:]
                elif how == 1:
                    raw += raw[: draw.randrange(len(raw) + 1)]
                elif how == 2:
                    del raw[at : at + draw.choice((1, 8, 512))]
                else:
                    raw[at : at + draw.choice((0, 1, 8))] = draw.randbytes(draw.choice((1, 8)))
        return bytes(raw)


def _places(raw: bytes | bytearray, mark: bytes) -> list[int]:
    return [at for at in range(len(raw) - 3) if raw[at : at + 4] == mark]


def sight(place: Path) -> list[tuple[str, int, int, bytes]]:
    """Return the state of every file outside of the folder to unpack into: path, mode, links and content."""
    seen = []
    for path in sorted(each for each in place.rglob("*") if "unpacked" not in each.parts):
        status = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        seen.append((str(path), status.st_mode, status.st_nlink if data else 0, data))
    return seen


def attempt(artifact: Path, manifest: Manifest, root: Path, folder: Path) -> str:
    """Verify one archive and return the outcome.

    Raises:
        AssertionError: the refusal is not one printable line.

    """
    try:
        verify_artifact(str(artifact), manifest, str(root), str(folder))
    except BenchError as error:
        line = str(error)
        if not line.isprintable() or len(line) > 2000:
            raise AssertionError(f"not one line: {line!r}") from None
        return "differs" if line.startswith("the artifact differs") else "refused"
    return "verified"


def fuzz(form: str, count: int, seed: int, place: Path) -> tuple[Counter[str], float]:
    """Make and verify `count` archives of a format; return their number by outcome, and the maximum CPU seconds of one.

    Raises:
        AssertionError: something outside of the folder has changed.

    """
    outside, root, folder, artifact = place / "outside", place / "tree", place / "unpacked", place / "artifact"
    outside.mkdir()
    (outside / "canary").write_bytes(b"outside!")
    manifest = plant(root)
    forger = Forger(root, outside, random.Random(f"{seed} {form}"))  # noqa: S311 - damage, not secrets
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    artifact.touch()
    before = [each for each in sight(place) if each[0] != str(artifact)]
    for number in range(count):
        data = forger.archive(form)
        artifact.write_bytes(data)
        started = process_time()
        limit(CPU_LIMIT_S, LIMIT_S)
        try:
            outcomes[attempt(artifact, manifest, root, folder)] += 1
            limit(0, 0)
            if [each for each in sight(place) if each[0] != str(artifact)] != before:
                raise AssertionError("something outside of the folder has changed")
        except BaseException:
            limit(0, 0)
            shutil.copy(artifact, f"archive-fuzz-{form}-{number}")
            print(f"{form}, seed {seed}, archive {number}: kept as archive-fuzz-{form}-{number}", file=sys.stderr)
            raise
        slowest_s = max(slowest_s, process_time() - started)
        shutil.rmtree(folder)
    return outcomes, slowest_s


def limit(cpu_s: float, elapsed_s: float) -> None:
    """Raise TooLongError after this much CPU time or elapsed time; 0 means no limit."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, elapsed_s)


def _too_long(_signal: int, _frame: object) -> None:
    raise TooLongError


def main() -> int:
    """Make archives of every format, verify them and print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forms", nargs="*", choices=[*FORMS, []], metavar="FORM", help=f"of {', '.join(FORMS)}; all")
    parser.add_argument("--count", type=int, default=2000, help="archives of each form; %(default)s")
    parser.add_argument("--seed", type=int, default=20260101, help="%(default)s")
    options = parser.parse_args()
    for each in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(each, _too_long)
    warnings.simplefilter("ignore")  # zipfile warns about the deliberate duplicates
    total = 0
    for form in options.forms or FORMS:
        with tempfile.TemporaryDirectory() as place:
            outcomes, slowest_s = fuzz(form, options.count, options.seed, Path(place))
        total += options.count
        shown = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items()))
        print(
            f"{form}, seed {options.seed}: {options.count:,} archives: {shown}; slowest {slowest_s:.2f} s of a CPU",
            flush=True,
        )
    peak = peak_memory_bytes()
    print(f"{total:,} archives, nothing outside changed, peak memory {(peak or 0) / 2**20:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

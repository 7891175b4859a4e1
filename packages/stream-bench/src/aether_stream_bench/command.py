"""Any program as an uploader: its command, with `{url}` and `{file}` in it, is run once an upload."""

from __future__ import annotations

import os
import shlex
import subprocess
from time import perf_counter_ns
from typing import TYPE_CHECKING

from aether_harness import BenchError
from aether_stream_bench.client.base import UploadError

if TYPE_CHECKING:
    from aether_stream_bench.client.base import Endpoint
    from aether_stream_bench.payload import Payload

_WRITE_BYTES = 2**20


def words_of(command: str) -> list[str]:
    """Return the words of a command as a shell would divide them.

    Raises:
        BenchError: it has none, or names neither the address nor the file.

    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BenchError(f"-p stream.command={command}: {str(error).lower()}") from None
    for field in ("{url}", "{file}"):
        if not any(field in word for word in words):
            raise BenchError(f"-p stream.command={command}: is without {field}, for example curl -T {{file}} {{url}}")
    return words


class CommandUpload:
    """Runs a command that uploads a file with the payload in it to an endpoint."""

    def __init__(self, command: str, endpoint: Endpoint, payload: Payload, folder: str) -> None:
        """Write the file into `folder`.

        Raises:
            BenchError: the command makes no sense, or the file cannot be written.

        """
        self._words = words_of(command)
        self._endpoint = endpoint
        self._file = os.path.join(folder, "payload")
        self._authority = os.path.join(folder, "authority.pem")
        try:
            with open(self._file, "wb") as file:
                file.writelines(payload.pieces(_WRITE_BYTES))
            with open(self._authority, "w", encoding="ascii") as pem:
                pem.write(endpoint.certificate or "")
        except OSError as error:
            raise BenchError(f"{self._file}: {error.strerror or error}") from None

    def run(self, *, digest: bool = False) -> int:
        """Upload once and return how long the command ran, in nanoseconds.

        Raises:
            UploadError: it could not be started, ran for too long, or ended with another status than 0.

        """
        target = self._endpoint.target
        if digest:
            target += ("&" if "?" in target else "?") + "digest=sha256"
        values = {"{url}": self._endpoint.origin + target, "{file}": self._file, "{ca}": self._authority}
        words = [_filled(word, values) for word in self._words]
        limit_s = self._endpoint.time_limit_s
        started = perf_counter_ns()
        try:
            finished = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise UploadError(f"{words[0]}: not done after {limit_s:g} s") from None
        except OSError as error:
            raise UploadError(f"{words[0]}: {(error.strerror or str(error)).lower()}") from None
        elapsed = perf_counter_ns() - started
        if finished.returncode:
            said = finished.stderr.decode(errors="replace").strip().splitlines()
            raise UploadError(f"{words[0]}: status {finished.returncode}{': ' + said[-1] if said else ''}")
        return elapsed


def _filled(word: str, values: dict[str, str]) -> str:
    for field, value in values.items():
        word = word.replace(field, value)
    return word

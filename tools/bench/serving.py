"""A real `kenshin server run` with a database of its own, to be measured."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from bench.postgres import Cluster, NoPostgres

TOOLS = Path(__file__).resolve().parents[1]
KINDS = ("SQLite", "PostgreSQL")


@dataclass
class Database:
    """Where it lies, and which it is."""

    kind: str
    url: str


@contextlib.contextmanager
def database(kind: str) -> Generator[Database]:
    """An empty one. Raises NoPostgres."""
    with contextlib.ExitStack() as stack:
        if kind == "PostgreSQL":
            cluster = Cluster(durable=True)
            stack.callback(cluster.close)
            yield Database(kind, cluster.create("bench"))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            yield Database(kind, str(Path(folder) / "bench.db"))


class Served:
    """The server's process."""

    def __init__(self, where: Database) -> None:
        environment = {**os.environ, "PYTHONPATH": str(TOOLS), "KENSHIN_DB": where.url}
        command = ["-m", "kenshin", "server", "run", "--port", "0", "--demo"]
        self._process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if len(words) < 3:
            self.stop()
            raise RuntimeError("the server did not start")
        self.url = words[2].rstrip("/")
        self.port = int(self.url.rsplit(":", 1)[1])

    def memory(self) -> int:
        """The most memory it had, in bytes."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu(self) -> float:
        """Seconds of processor time that it took."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """As a service manager does."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


__all__ = ["KINDS", "Database", "NoPostgres", "Served", "database"]

"""The programs of the demo, each as its user would start it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

START_SECONDS = 60
STOP_SECONDS = 10
ASK_SECONDS = 10


class PartError(RuntimeError):
    """A program of the demo failed; the text is what it said."""


class Part:
    """A program that runs until it is told to stop; its first line says that it is ready."""

    def __init__(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        # A session of its own: Ctrl-C is for the demo, which ends its parts in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name=name, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._said.put(line.rstrip())
        self._said.put(None)

    def ready(self) -> str:
        """Its first line; PartError when it ends, or says nothing for a minute."""
        try:
            line = self._said.get(timeout=START_SECONDS)
        except queue.Empty:
            raise PartError(f"{self.name} did not start in {START_SECONDS} s") from None
        if line is None:
            raise PartError(f"{self.name} ended with code {self._process.wait()}")
        return line

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def last_words(self) -> str:
        """What it said since."""
        words: list[str] = []
        while not self._said.empty():
            line = self._said.get()
            if line is not None:
                words.append(line)
        return "\n".join(words)

    def stop(self) -> None:
        """As Ctrl-C does; killed when it does not end."""
        if self.alive:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Server(Part):
    """`kenshin server run`, with one gateway of its own."""

    def __init__(self, folder: Path) -> None:
        database = ["--db", f"sqlite:///{folder / 'demo.db'}"]
        added = subprocess.run(
            [sys.executable, "-m", "kenshin", "server", "gateway", "add", "demo", "--json"]
            + database,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if added.returncode:
            raise PartError("kenshin server gateway add: " + added.stderr)
        gateway = json.loads(added.stdout)
        self.code: str = gateway["code"]
        self.token: str = gateway["token"]
        # Whoever sits at this machine may look at the demonstration without logging in.
        run = ["kenshin", "server", "run", "--demo", "--port", "0", *database]
        super().__init__("kenshin server", run)

    def ready(self) -> str:
        """Waits until it listens; -> the address of its page."""
        line = super().ready()
        self.url = next(word for word in line.split() if word.startswith("http://")).rstrip("/")
        return self.url

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def gateway(self) -> dict[str, Any]:
        """What it knows of the gateway: `stored` rows, `streams` with ranges received."""
        url = f"{self.url}/api/v1/gateways/{self.code}"
        ask = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(ask, timeout=ASK_SECONDS) as reply:
            return cast("dict[str, Any]", json.load(reply))

    def received(self) -> int:
        """How many sequence numbers it holds."""
        return sum(
            last - first + 1
            for stream in self.gateway()["streams"]
            for first, last in stream["received"]
        )

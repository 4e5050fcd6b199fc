"""What tests of the uplink begin with: it, its queue, and a server that says what it is told."""

import asyncio
import gc
import json

import gateway
from fakeboard import FakeBoard
from fakeclock import FakeClock, Lines
from gateway import network, uplink
from gateway.outbox import Outbox
from gateway.reading import Reading
from gateway.settings import Settings
from gateway.status import Status
from gateway.store import Store
from helpers import run

T = 1_800_000_000
TOKEN = "token-of-this-test"


class Net:
    def __init__(self):
        self.up = True
        self.said = []

    async def wait_up(self, ms):
        return self.up

    def fine(self):
        self.said.append("fine")

    def trouble(self):
        self.said.append("trouble")

    def dns_failed(self, host):
        self.said.append("dns " + host)


class Rig:
    """`replies`: what the server does in turn; the last one stays. See `answer`."""

    def __init__(self, *replies, settings=None):
        self.replies = list(replies) or ["ok"]
        self.clock = FakeClock(T)
        self.board = FakeBoard(self.clock)
        self.board.cause = "soft"
        values = {"server.url": "http://192.0.2.1:8000", "server.token": TOKEN}
        values.update(settings or {})
        self.settings = Settings(self.board.nvs)
        self.settings.load(values)
        self.log = Lines()
        self.status = Status(self.board, self.clock, self.log)
        self.status.module = '\u81ea\u5b85 "x"'
        self.net = Net()
        self.air = asyncio.Lock()
        self.outbox = Outbox(self.clock, Store(self.board.nvs), 200)
        self.posts = []
        self.times = []
        self.collected = 0
        self.uplink = uplink.Uplink(
            self.settings,
            self.clock,
            self.outbox,
            self.status,
            self.net,
            self.air,
            self.log,
            self.board,
            post=self.post,
        )

    def fill(self, n=5):
        for i in range(n):
            self.outbox.append(Reading("instant", T + i, "ntp", i, None, None, None, None, "get"))

    async def post(self, url, headers, body, length, deadline_ms):
        assert self.air.locked(), "the post blocks, so the meter must know"
        assert url == "http://192.0.2.1:8000/api/v1/readings" and deadline_ms == 20_000
        assert headers["Authorization"] == "Bearer " + TOKEN
        assert headers["Content-Type"] == "application/json"
        text = b"".join(body)
        assert len(text) == length
        message = json.loads(text)
        self.posts.append(message)
        assert self.collected, "memory is tidied before each upload"
        self.collected = 0
        self.times.append(self.clock.ms())
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return self.answer(message, reply)

    def answer(self, message, reply):
        rows = message["readings"]
        if isinstance(reply, Exception):
            raise reply
        if callable(reply):
            reply = reply(rows)
        if isinstance(reply, tuple):
            return reply
        if reply == "ok":
            reply = {}
        if isinstance(reply, dict):
            whole = {"v": 1, "time": T + 7, "rejected": [], "want": [], "interval": None}
            whole["ack"] = [[rows[0][0], rows[-1][0]]] if rows else []
            whole.update(reply)
            reply = json.dumps(whole)
        return 200, {"content-type": "application/json"}, reply.encode()

    # A collection takes long on a PC with a whole test run in memory, so here it is only counted.
    def lean(self, coroutine):
        gateway.gc = network.gc = self
        try:
            return run(coroutine)
        finally:
            gateway.gc = network.gc = gc

    def collect(self):
        self.collected += 1

    def once(self):
        return self.lean(self.uplink.check())

    def run(self, seconds):
        end = self.clock.ms() + seconds * 1000
        promise = [1 << 60]

        def beat(ms):
            now = self.clock.ms()
            assert now <= promise[0]
            promise[0] = now + ms
            if now >= end:
                raise StopIteration_

        try:
            self.lean(self.uplink.run(beat))
        except StopIteration_:
            pass


class StopIteration_(Exception):
    pass

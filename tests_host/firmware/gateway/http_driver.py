"""Posts to misbehaving servers and tells how it went. host_http.py runs it on every Python.

    http_driver.py LIB HELPERS STANDIN|- PORT NOBODY WHAT

One JSON line per exchange. WHAT is "client", for the bare HTTP client, or "uplink", for all of it.
"""

import sys

LIB, HELPERS, STANDIN, PORT, NOBODY, WHAT = sys.argv[1:]
sys.path[:0] = [place for place in (STANDIN, LIB, HELPERS) if place != "-"]

import asyncio  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402

from fakeboard import FakeBoard  # noqa: E402
from fakeclock import Lines  # noqa: E402
from gateway.http import Client, HttpError  # noqa: E402
from gateway.outbox import Outbox  # noqa: E402
from gateway.reading import Reading  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from gateway.status import Status  # noqa: E402
from gateway.store import Store  # noqa: E402
from gateway.uplink import Uplink  # noqa: E402
from hostclock import HostClock  # noqa: E402

PIECES = 100
PIECE = b"0123456789" * 5
DEADLINE = 700

CASES = (
    "ok echo split open-end nobody silent trickle-status trickle-headers trickle-body redirect-302"
    " redirect-307 redirect-bare html short-body no-reply no-headers-end slam reset bad-status"
    " word-status no-code blank long-line many-headers big-told big-untold chunked chunked-small"
    " bad-length negative-length no-content unauthorized busy linger"
).split()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def body():
    for _ in range(PIECES):
        yield PIECE


async def exchange(clock, case):
    base = "http://127.0.0.1:%s" % (NOBODY if case == "nobody" else PORT)
    client = Client(clock, "127.0.0.1")
    length = PIECES * len(PIECE)
    began = clock.ms()
    out = {"case": case}
    try:
        status, headers, reply = await client.post(
            base + "/" + case, {"Authorization": "Bearer x"}, body(), length, DEADLINE
        )
        out["status"] = status
        out["headers"] = headers
        out["body"] = reply.decode()
    except HttpError as e:
        out["kind"], out["detail"] = e.args
    out["ms"] = clock.ms() - began
    return out


async def clients():
    clock = HostClock()
    await exchange(clock, "ok")  # whatever is opened once for all, is open now
    before = descriptors()
    for case in CASES:
        out = await exchange(clock, case)
        out["leaked"] = descriptors() - before
        print(json.dumps(out))
    for length in (4999, 5001):
        out = {"case": "length %d" % length}
        try:
            url = "http://127.0.0.1:%s/ok" % PORT
            await Client(clock, "127.0.0.1").post(url, {}, body(), length, DEADLINE)
        except RuntimeError as e:
            out["error"] = str(e)
        except HttpError as e:
            out["error"] = e.args[0]
        out["leaked"] = descriptors() - before
        print(json.dumps(out))


class Net:
    async def wait_up(self, ms):
        return True

    def fine(self):
        pass

    def trouble(self):
        pass

    def dns_failed(self, host):
        pass


# Each kind of server in turn; whatever it did, the good one afterwards gets all there is.
async def uplinks():
    clock = HostClock()
    board = FakeBoard(clock)
    outbox = Outbox(clock, Store(board.nvs), 200)
    client = Client(clock, "127.0.0.1")
    number = 0
    for case in (
        "good html no-reply redirect-302 late short-body silent busy unauthorized nobody good"
    ).split():
        settings = Settings(board.nvs)
        port = NOBODY if case == "nobody" else PORT
        settings.load(
            {"server.url": "http://127.0.0.1:%s/%s" % (port, case), "server.token": "tokentoken"}
        )
        status = Status(board, clock, Lines())
        for _ in range(10):
            number += 1
            t = 1_800_000_000 + number
            outbox.append(Reading("instant", t, "ntp", number, 1, None, None, None, "get"))

        async def post(url, headers, rows, length, deadline_ms):
            return await client.post(url, headers, rows, length, DEADLINE)

        air = asyncio.Lock()
        up = Uplink(settings, clock, outbox, status, Net(), air, Lines(), board, post=post)
        out = {"case": case, "says": await up.check(), "code": status.code("server")}
        while case == "good" and up.due - clock.ms() < 2000 and len(outbox):
            out["says"] = await up.check()
        out["left"] = len(outbox)
        print(json.dumps(out))


asyncio.run(clients() if WHAT == "client" else uplinks())

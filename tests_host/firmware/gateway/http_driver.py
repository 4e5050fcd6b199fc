"""Posts to misbehaving servers and tells how it went. host_http.py runs it on every Python.

    http_driver.py LIB HELPERS STANDIN|- CLIENT PORT NOBODY WHAT [CA PORT ...]

One JSON line per exchange. CLIENT: "requests", "asyncio" for the other client without TLS, "tls"
for it with TLS. WHAT is "client", for the bare HTTP client, "uplink", for all of it, or
"certificates", for a server at each PORT, and the file of a CA before it.
"""

import sys

LIB, HELPERS, STANDIN, CLIENT, PORT, NOBODY, WHAT = sys.argv[1:8]
MORE = sys.argv[8:]
sys.path[:0] = [place for place in (STANDIN, LIB, HELPERS) if place != "-"]

import asyncio  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402

from fakeboard import FakeBoard  # noqa: E402
from fakeclock import Lines  # noqa: E402
from gateway.outbox import Outbox  # noqa: E402
from gateway.reading import Reading  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from gateway.status import Status  # noqa: E402
from gateway.store import Store  # noqa: E402
from gateway.uplink import HttpError, Uplink  # noqa: E402
from hostclock import HostClock  # noqa: E402

if CLIENT == "requests":
    from gateway.http import Client
else:
    from gateway.https import Client

HOST = "https://localhost" if CLIENT == "tls" else "http://127.0.0.1"


def new_client(clock, ca=None):
    if CLIENT == "tls":
        return Client(clock, "127.0.0.1", ca or MORE[0])  # pyright: ignore[reportCallIssue]
    return Client(clock, "127.0.0.1")


PIECES = 100
PIECE = b"0123456789" * 5
# For a server that never comes to an end; a handshake takes its time. Any other may take long on a
# busy machine.
SHORT = 2000 if CLIENT == "tls" else 700
LONG = 60_000
ENDLESS = ("silent", "late", "trickle-status", "trickle-headers", "trickle-body")


def deadline(case):
    return SHORT if case in ENDLESS else LONG


CASES = (
    "ok echo split open-end nobody silent trickle-status trickle-headers trickle-body redirect-302"
    " redirect-307 redirect-bare html short-body no-reply no-headers-end slam reset bad-status"
    " word-status no-code blank long-line many-headers big-told big-untold chunked chunked-small"
    " torn-chunk continue"
    " bad-length negative-length no-content unauthorized busy linger early early-nothing"
).split()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


# More than any line holds: it cannot be sent to who does not read it.
MANY = 2000
MUCH = bytes(10_000)


def body(case=""):
    much = case[:5] == "early"
    for _ in range(MANY if much else PIECES):
        yield MUCH if much else PIECE


async def exchange(clock, case):
    base = HOST + ":%s" % (NOBODY if case == "nobody" else PORT)
    client = new_client(clock)
    length = sum([len(piece) for piece in body(case)])
    began = clock.ms()
    out = {"case": case}
    try:
        status, headers, reply = await client.post(
            base + "/" + case, {"Authorization": "Bearer x"}, body(case), length, deadline(case)
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
            url = HOST + ":%s/ok" % PORT
            await new_client(clock).post(url, {}, body(), length, LONG)
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
    number = 0
    for case in (
        "good html no-reply redirect-302 late short-body silent busy unauthorized nobody good"
    ).split():
        settings = Settings(board.nvs)
        port = NOBODY if case == "nobody" else PORT
        settings.load({"server.url": HOST + ":%s/%s" % (port, case), "server.token": "tokentoken"})
        status = Status(board, clock, Lines())
        for _ in range(10):
            number += 1
            t = 1_800_000_000 + number
            outbox.append(Reading("instant", t, "ntp", number, 1, None, None, None, "get"))

        async def post(url, headers, rows, length, deadline_ms):
            limit = deadline(url.split("/")[3])
            return await new_client(clock).post(url, headers, rows, length, limit)

        air = asyncio.Lock()
        up = Uplink(settings, clock, outbox, status, Net(), air, Lines(), board, post=post)
        out = {"case": case, "says": await up.check(), "code": status.code("server")}
        if case == "good" and len(outbox):  # more than one upload holds
            out["says"] = await up.check()
        out["left"] = len(outbox)
        print(json.dumps(out))


async def certificates():
    clock = HostClock()
    before = None
    for at in range(0, len(MORE), 3):
        ca, port, told = MORE[at : at + 3]
        if told == "told":
            clock.set(1_800_000_000, "ntp")
        out = {}
        try:
            url = HOST + ":%s/ok" % port
            limit = SHORT if told == "short" else LONG
            out["status"] = (await new_client(clock, ca).post(url, {}, body(), 5000, limit))[0]
        except HttpError as e:
            out["kind"], out["detail"] = e.args
        before = descriptors() if before is None else before
        out["leaked"] = descriptors() - before
        print(json.dumps(out))


asyncio.run({"client": clients, "uplink": uplinks, "certificates": certificates}[WHAT]())

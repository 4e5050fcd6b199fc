# Readings and status to the server, wire format version 1. Nothing is forgotten that was not
# acknowledged or rejected one by one, however the exchange ended.
import gc
import json
from asyncio import Event
from random import getrandbits

from gateway import names
from gateway.http import Client, HttpError
from micropython import const

_BATCH = const(64)
_DEADLINE_MS = const(20_000)  # with a name's look-up still far below the watchdog's 120 s
_PAUSE_MIN_MS = const(5_000)
_PAUSE_MAX_MS = const(600_000)
_REFUSED_MS = const(60_000)  # the first pause when the token is wrong: no hurry
_NEXT_MS = const(1_000)  # between the batches of a backlog: the meter comes first
_HURRY_MS = const(10_000)
_TURN_MS = const(60_000)

# What http.HttpError and _refusal call a failure, and its code for the owner where that differs.
_CODES = {
    "refused": "unreachable",
    "closed": "bad-reply",
    "reply": "bad-reply",
    "token": "refused",
}


class Uplink:
    """The task that empties the outbox.

    `air` is the lock that the meter session holds while it awaits an answer: the post blocks, so
    it happens only while this task holds it. `post`: see http.Client.post. `on_want(days)` hears
    which days' history the server wishes for. `interval`: seconds between uploads; the server's
    wish counts more than the setting.
    """

    def __init__(
        self, settings, clock, outbox, status, network, air, log, board, post=None, on_want=None
    ):
        self._url = settings["server.url"]
        self._token = settings["server.token"]
        self.clock = clock
        self.outbox = outbox
        self.status = status
        self.network = network
        self.air = air
        self.log = log
        self._post = post or Client(clock).post
        self.on_want = on_want
        self.interval = settings["server.interval"]
        self.pause_ms = 0  # the last pause after a failure; 0 when all is well
        self._limit = _BATCH
        self._due = 0
        outbox.count = status.count

    async def run(self, beat):
        clock = self.clock
        if not (self._url and self._token):
            beat(None)  # the settings say so already; nothing to do until a new start
            await Event().wait()
        while True:
            beat(4 * _TURN_MS)
            # Half full: it must not run over because the server is content with few uploads.
            if not self.pause_ms and len(self.outbox) * 2 > self.outbox.capacity:
                self._due = min(self._due, clock.ms() + _HURRY_MS)
            left = self._due - clock.ms()
            if left > 0:
                await clock.sleep_ms(min(left, _TURN_MS))
            elif await self.network.wait_up(_TURN_MS):
                await self.check()

    async def check(self):
        """Upload one batch, or only the status, now. -> None, or what is wrong, in words."""
        if not await names.quiet(self.air, self.clock):
            self._due = self.clock.ms() + _PAUSE_MIN_MS
            return "the meter left no time for an upload"
        try:
            async with self.air:
                gc.collect()
                more = await self._exchange()
        except HttpError as e:
            self._failed(e)
            return e.detail
        self.pause_ms = 0
        self.status.clear("server")
        self._due = self.clock.ms() + (_NEXT_MS if more else self.interval * 1000)
        return None

    # -> True when there is more to send at once. HttpError for everything that went wrong.
    async def _exchange(self):
        batch = self.outbox.batch(self._limit)
        head = ('{"v":1,"stream":%d,"readings":[' % self.outbox.stream).encode()
        tail = ('],"status":%s}' % json.dumps(self.status.snapshot())).encode()
        began = self.clock.ms()
        code, found, body = await self._post(
            self._url + "/api/v1/readings",
            {"Authorization": "Bearer " + str(self._token), "Content-Type": "application/json"},
            _body(head, batch, tail),
            len(head) + len(tail) + (batch.length if batch else 0),
            _DEADLINE_MS,
        )
        if code == 413 and batch and batch.count > 1:
            self._limit = batch.count // 2
            self.log.info("server: %d readings are too many at once", batch.count)
            return True
        try:
            if code != 200:
                raise _refusal(code, found, body)
            if body.rstrip()[-1:] != b"}":
                raise ValueError  # MicroPython's json takes half an object for a whole one
            return self._settle(json.loads(body), batch, began)
        except (ValueError, KeyError, TypeError, AttributeError):
            what = "status %d, %d bytes of %s" % (code, len(body), found.get("content-type"))
            raise HttpError("reply", what + ": not an answer of a Kenshin server")

    # The server's reply to what was sent. One of the errors above when it has another shape.
    def _settle(self, reply, batch, began):
        if reply["v"] != 1:
            raise ValueError
        ack = [(int(first), int(last)) for first, last in reply["ack"]]
        rejected = [(int(seq), str(why)[:80]) for seq, why in reply["rejected"]]
        more = False
        if batch:
            taken = self.outbox.acknowledge(ack)
            refused = self.outbox.reject(rejected)
            done = taken + refused
            self.status.count("uploaded", taken)
            if refused:
                self.status.count("rejected", refused)
                self.log.warn("server: rejected %s", rejected[:2])
            # A long answer may be cut short: the rest is sent again. But there must be progress.
            if not done:
                raise HttpError("reply", "none of %d readings acknowledged" % batch.count)
            more = done < batch.count or batch.count == self._limit
        self._limit = min(self._limit + 4, _BATCH)
        now = self.clock.ms()
        self.network.fine()
        self.clock.set(int(reply.get("time") or 0), "server", (began + now) // 2)
        self.interval = min(max(int(reply.get("interval") or self.interval), 10), 3600)
        if self.on_want and reply.get("want"):
            self.on_want([str(day)[:10] for day in reply["want"]])
        return more

    def _failed(self, e):
        self.pause_ms = pause = min(
            max(self.pause_ms * 2, _REFUSED_MS if e.kind == "token" else _PAUSE_MIN_MS),
            _PAUSE_MAX_MS,
        )
        # Up to a quarter less, so that a server that comes back is not run over by all at once.
        pause -= pause * getrandbits(8) // 1024
        self._due = self.clock.ms() + max(pause, e.wait_ms)
        if e.kind == "dns":
            self.network.dns_failed(e.detail)
            return
        if e.kind in ("refused", "timeout"):
            self.network.trouble()
        else:
            self.network.fine()
        code = _CODES.get(e.kind, e.kind)
        self.status.count("upload." + code)
        self.status.problem("server", code, e.detail)


def _body(head, batch, tail):
    yield head
    if batch:
        yield from batch.rows()
    yield tail


# What a status other than 200 means.
def _refusal(code, found, body):
    if code == 401 or code == 403:
        kind = "token"
    elif code == 429 or 500 <= code < 600:
        kind = "broken"
    else:
        kind = "rejected" if 400 <= code < 500 else "reply"
    detail = "status %d" % code
    if "problem" in found.get("content-type", ""):  # JSON that explains itself (RFC 9457)
        detail += ": " + str(json.loads(body).get("detail"))[:80]
    e = HttpError(kind, detail)
    wait = found.get("retry-after", "")
    if wait.isdigit():
        e.wait_ms = min(int(wait), 3600) * 1000
    return e

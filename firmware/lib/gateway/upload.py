# One upload: readings and status to the server, wire format version 1. Loaded for that by the
# uplink, and dropped; what came of it is judged by gateway.reply, loaded when http is gone.
from gateway import drop
from gateway.network import known
from gateway.uplink import HttpError
from micropython import const

# What kinds of HttpError become when the network is alive all the same.
_ALIVE = {"timeout": "slow", "unreachable": "refused"}
_DEADLINE_MS = const(20_000)  # far below the watchdog's 120 s


async def run(up):
    """Upload one batch of `up`, an Uplink. -> None, or what is wrong, in words."""
    settings = up.settings
    clock = up.clock
    end = clock.ms() + _DEADLINE_MS
    url = settings["server.url"] + "/api/v1/readings"
    host = url.split("/", 3)[2].partition(":")[0]
    address = None
    if not up.post:
        from gateway import names

        try:
            address = await names.resolve(up.network.net, host, clock)
        except OSError as e:
            address = HttpError("dns" if isinstance(e, names.Silent) else "no-name", str(e))
        del names
        drop("names")  # before more is loaded
    from gateway.batch import Batch

    box = up.outbox
    if up.pause_ms and up.limit > 1 and box.root and box.live:
        box.aside("spill", 2)  # not much hope that the server takes them
    # Of more than one batch the newest once an interval, so that the server shows what is now, and
    # before they must go to flash; between that the oldest, so that what is missing there is one
    # stretch that shrinks.
    now = clock.ms()
    late = box.root and box.live and now - box.since >= box.window * 625
    newest = box.stored + box.live > up.limit and (late or now >= up.fresh)
    if newest:
        up.fresh = now + up.interval * 1000
    batch = Batch(box, up.limit, newest)
    del Batch
    try:
        return await _exchange(up, batch, newest, url, host, address, end)
    finally:
        batch.end()
        box.tend()


async def _exchange(up, batch, newest, url, host, address, end):
    settings = up.settings
    clock = up.clock
    from gateway import summary

    status = summary.snapshot(up.status)
    del summary
    drop("summary", "track")
    from gateway import resets

    status["resets"] = resets.read(up.status.board.nvs)
    del resets
    drop("resets")
    began = clock.ms()
    try:
        if isinstance(address, HttpError):
            raise address
        answer = await pick(up, address).post(
            url,
            {
                "Authorization": "Bearer " + str(settings["server.token"]),
                "Content-Type": "application/json",
            },
            _body(up, batch, status),
            sum([len(chunk) for chunk in _frame(up, status)]) + batch.length,
            end - clock.ms(),
        )
    except HttpError as e:
        answer = e
        if host in known:
            known[host] = (known[host][0], 0)  # perhaps it is elsewhere now
    status = None
    drop("http", "https", "pieces")
    # Is it the server, or the network? The name server is the nearest that can tell.
    if isinstance(answer, HttpError) and answer.args[0] in _ALIVE and not up.post:
        from gateway import names

        if await names.alive(up.network.net, clock):
            answer = HttpError(_ALIVE[answer.args[0]], answer.args[1])
        del names
        drop("names")
    from gateway import reply

    return reply.judge(up, batch, began, answer, newest)


def pick(up, address):
    settings = up.settings
    if up.post:
        return up
    if settings["server.client"] == "asyncio" or settings["server.url"][:6] == "https:":
        from gateway.https import Client

        return Client(up.clock, address, settings["server.ca"])
    from gateway.http import Client

    return Client(up.clock, address)


def _body(up, batch, status):
    frame = _frame(up, status)
    yield next(frame)
    yield from batch.rows()
    yield from frame


# The body without the readings: what comes before them, and then the rest.
def _frame(up, status):
    from gateway.pieces import pieces

    yield b'{"v":1,"stream":%d,"readings":[' % up.outbox.stream
    yield b'],"status":'
    for piece in pieces(status):
        yield piece.encode()
    yield b"}"

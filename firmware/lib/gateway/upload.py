# One upload: readings and status to the server, wire format version 1. Loaded for that by the
# uplink, and dropped; what came of it is judged by gateway.reply, loaded when http is gone.
import json

from gateway import drop
from gateway.batch import Batch
from gateway.uplink import HttpError
from micropython import const

_DEADLINE_MS = const(20_000)  # with a name's look-up still far below the watchdog's 120 s


async def run(up):
    """Upload one batch of `up`, an Uplink. -> None, or what is wrong, in words."""
    settings = up.settings
    clock = up.clock
    batch = Batch(up.outbox, up.limit)
    from gateway import summary

    status = summary.snapshot(up.status)
    del summary
    drop("summary")
    began = clock.ms()
    try:
        answer = await _post(up)(
            settings["server.url"] + "/api/v1/readings",
            {
                "Authorization": "Bearer " + str(settings["server.token"]),
                "Content-Type": "application/json",
            },
            _body(up, batch, status),
            sum([len(chunk) for chunk in _frame(up, status)]) + batch.length,
            _DEADLINE_MS,
        )
    except HttpError as e:
        answer = e
    status = None
    drop("http", "names")
    from gateway import reply

    return reply.judge(up, batch, began, answer)


def _post(up):
    if up.post:
        return up.post
    from gateway.http import Client

    return Client(up.clock).post


def _body(up, batch, status):
    frame = _frame(up, status)
    yield next(frame)
    yield from batch.rows()
    yield from frame


# The body without the readings: what comes before them, and then the rest. In small pieces, for
# there may be no large one left of the memory.
def _frame(up, status):
    yield b'{"v":1,"stream":%d,"readings":[' % up.outbox.stream
    yield b'],"status":{'
    comma = ""
    for key, value in status.items():
        yield (comma + json.dumps(key) + ":" + json.dumps(value)).encode()
        comma = ","
    yield b"}}"

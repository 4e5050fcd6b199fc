# What came of an upload. Nothing is forgotten that was not acknowledged or rejected one by one,
# however the exchange ended. Loaded for one answer, and dropped.
import json
from random import getrandbits

from gateway import drop, pace
from gateway.uplink import BATCH, HttpError

# What HttpError and _refusal call a failure, and its code for the owner where that differs.
_CODES = {
    "slow": "timeout",
    "refused": "unreachable",
    "closed": "bad-reply",
    "reply": "bad-reply",
    "token": "refused",
}


def judge(up, batch, began, answer, newest):
    """Act on the answer to `batch`, sent at ms `began`: (status, headers, body), or an HttpError.

    `up` is the Uplink; with `newest` there are older ones to be sent.
    -> None, or what is wrong, in words.
    """
    found = {}
    said = None
    clock = up.clock
    try:
        if isinstance(answer, HttpError):
            raise answer
        code, found, body = answer
        if code in (400, 413, 422) and batch.count > 1:
            # Too many, or there is one among them for which it refuses all.
            up.limit = batch.count // 2
            said = "status %d for %d readings" % (code, batch.count)
            up.log.info("server: %s: fewer at once", said)
            more = True
        else:
            more = _read(up, batch, began, code, found, body, newest) or newest and batch.count > 0
    except HttpError as e:
        kind, detail = e.args
        up.pause_ms = pace.pause(up.pause_ms, kind == "token")
        wait = pace.retry_after(found.get("retry-after", ""), found.get("date", ""), clock.utc())
        up.due = clock.ms() + pace.spread(up.pause_ms, wait, getrandbits(8))
        _failed(up, kind, detail)
        return detail
    finally:
        drop("pace")
    up.pause_ms = 0
    up.status.clear("server")
    now = clock.ms()
    up.due = now + (pace.backlog(now - began, getrandbits(8)) if more else up.interval * 1000)
    return said


# -> True when there is more to send at once. HttpError for everything that is wrong with it.
def _read(up, batch, began, code, found, body, newest):
    try:
        if code != 200:
            error = _refusal(code, found, body)
            if code in (400, 422) and batch.count and _aside(up, batch, error.args[1], newest):
                return True
            raise error
        if body.rstrip()[-1:] != b"}":
            raise ValueError  # MicroPython's json takes half an object for a whole one
        return _settle(up, batch, began, json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):  # int(1e999)
        what = "status %d, %d bytes of %s" % (code, len(body), found.get("content-type"))
        raise HttpError("reply", what + ": not an answer of a Kenshin server")


# One of the errors above when the reply has another shape.
def _settle(up, batch, began, reply):
    if reply["v"] != 1:
        raise ValueError
    ack = [(int(first), int(last)) for first, last in reply["ack"]]
    rejected = [(int(seq), str(why)[:80]) for seq, why in reply["rejected"]]
    more = False
    if batch.count:
        taken = batch.acknowledge(ack)
        refused = batch.reject(rejected)
        done = taken + refused
        up.status.count("uploaded", taken)
        if refused:
            up.status.count("rejected", refused)
            up.log.warn("server: rejected %s", rejected[:2])
        # A long answer may be cut short: the rest is sent again. But there must be progress.
        if not done:
            raise HttpError("reply", "none of %d readings acknowledged" % batch.count)
        more = done < batch.count or batch.count == up.limit
    up.limit = min(up.limit + 1, BATCH)
    now = up.clock.ms()
    up.network.fine()
    up.clock.set(int(reply.get("time") or 0), "server", (began + now) // 2)
    up.interval = min(max(int(reply.get("interval") or up.interval), 10), 3600)
    if up.on_want and reply.get("want"):
        up.on_want([str(day)[:10] for day in reply["want"]])
    return more


# A reading that was refused alone, `why` in words, is set aside at the third time, when others
# were taken in between: else it may be all that we send, or the server. -> True when it was.
def _aside(up, batch, why, newest):
    box = up.outbox
    seq = None
    for row in batch.rows():
        seq = int(row[1 : row.find(b",")])
    others = [one for one in box.rejects if one[0] != seq]
    times = len(box.rejects) - len(others)
    if not (times and up.pause_ms):  # the upload before this one was a success
        if times == 2:
            box.rejects = others
            up.status.count("rejected", batch.reject([(seq, why)]))
            up.log.warn("server: refuses all because of reading %d: %s", seq, why)
            up.limit = BATCH
            return True
        box.rejects = (box.rejects + [(seq, why)])[-4:]
    if not newest:
        up.fresh = 0  # another one, at the next opportunity
    return False


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
    return HttpError(kind, detail)


def _failed(up, kind, detail):
    if kind in ("dns", "timeout", "unreachable"):
        up.network.trouble()
    else:
        up.network.fine()
    if kind in ("dns", "no-name"):
        up.network.dns_failed(detail)
        return
    code = _CODES.get(kind, kind)
    up.status.count("upload." + code)
    up.status.problem("server", code, detail)

# An outbox in RAM only, and readings for it.
import json

from fakeboard import FakeNvs
from fakeclock import FakeClock
from gateway.batch import Batch
from gateway.outbox import Outbox
from gateway.reading import Reading
from gateway.store import Store

T = 1_800_000_000


# With the batch under way at hand.
class Box(Outbox):
    def batch(self, limit):
        self.sent = Batch(self, limit)
        return self.sent

    def acknowledge(self, ranges):
        return self.sent.acknowledge(ranges)

    def reject(self, refused):
        return self.sent.reject(refused)


def outbox(capacity=100, nvs=None):
    return Box(FakeClock(T), Store(nvs or FakeNvs()), capacity)


def instant(t, power=100, quality="ntp"):
    return Reading("instant", t, quality, power, 12, None, None, None, "get")


def half_hour(t, normal=None, reverse=None, origin="inf"):
    return Reading("half-hour", t, "meter", None, None, None, normal, reverse, origin)


def rows(box, limit=1000):
    """The batch as the server will read it; checks that the length told is right."""
    batch = box.batch(limit)
    text = b"".join(batch.rows())
    assert len(text) == batch.length
    assert b"".join(batch.rows()) == text, "can be sent again"
    out = json.loads("[" + text.decode() + "]")
    assert len(out) == batch.count
    return out

"""A J11 state, and what it told."""

from fakeradio import EVENTS
from helpers import hex_
from j11frames import (
    AUTHENTICATED,
    CREDENTIALS_OK,
    INIT_OK,
    MAC,
    OPEN_OK,
    PASSWORD,
    RBID,
    STARTED,
)
from wisun.j11_frame import frame
from wisun.j11_state import State

GOAL = (12, MAC, 0xBCDE)
OTHER = hex_("0050C2FFFEDC2829")
CONNECTION = hex_("01 01 01 0050C2FFFEDC2822 BCDE 01 07 02")


class Told:
    """A state, and all that it tells, in `said`."""

    def __init__(self, level=None):
        self.said = []
        self.state = State(self)
        self.state.credentials = (RBID + PASSWORD).encode()
        self.state.level = level

    def on_reply(self, code, result, data):
        self.said.append(("reply", code, result, bytes(data)))

    def on_datagram(self, payload, mac, secured, rssi):
        self.said.append(("datagram", bytes(payload), mac, secured, rssi))

    def on_pan(self, channel, mac, pan_id, rssi):
        self.said.append(("pan", channel, mac, pan_id, rssi))

    def on_rssi(self, rssi):
        self.said.append(("rssi", rssi))

    def on_garbage(self, size):
        self.said.append(("garbage", size))

    def on_event(self, code, value):
        self.said.append((EVENTS[code], value))

    # The module says a known frame, or one with this code and data.
    def hear(self, case, data=None):
        code = case if data is not None else case[1]
        self.state.on_frame(code, memoryview(case[2] if data is None else data))
        said = self.said
        self.said = []
        return said

    # The next command as a frame.
    def next(self):
        code = self.state.step()
        return None if code is None else frame(code, self.state.data(code))


# An authenticated one, without asking it.
def joined():
    told = Told(1)
    told.state.goal = GOAL
    for case in (INIT_OK, CREDENTIALS_OK, STARTED, OPEN_OK, AUTHENTICATED):
        told.hear(case)
    assert told.state.step() is None
    return told

"""A low-voltage smart meter as an ECHONET Lite node: object 0x028801 and its node profile.

Sans I/O apart from its clock: `answer` takes a datagram and gives the reply, `on_notify` is called
when the meter speaks by itself. Radio, sessions and delays are the business of `air`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from meterlab import frames
from meterlab.frames import CONTROLLER, METER, NODE, Message, Property
from meterlab.household import Household
from meterlab.metering import SLOT, Equipment, Metering, property_map
from meterlab.scheduler import Scheduler, Timer

_INSTANCES = b"\x01\x02\x88\x01"


@dataclass(slots=True)
class Manners:
    """How the meter behaves, well or badly; may be changed while it runs.

    `limit`: properties it takes in one request, the rest is cut off. `notify`: EA and EB every
    half-hour; `confirm`: as INFC, repeated until confirmed; `apart`: in two frames.
    `silent`: hears and never answers. `wrong_epc`, `wrong_tid`, `short`: shares of the answers
    that name another property, carry another TID, or end early.
    """

    limit: int = 6
    notify: bool = True
    confirm: bool = False
    apart: bool = False
    silent: bool = False
    wrong_epc: float = 0.0
    wrong_tid: float = 0.0
    short: float = 0.0


class Meter:
    """`on_notify(frame, multicast)` sends what the meter says unasked; -> False when nobody is
    joined, so that it counts as missed and not as sent."""

    def __init__(
        self,
        scheduler: Scheduler,
        household: Household,
        *,
        equipment: Equipment | None = None,
        manners: Manners | None = None,
        seed: int = 0,
    ) -> None:
        self.scheduler = scheduler
        self.manners = manners or Manners()
        self.metering = Metering(
            household, equipment or Equipment(), lambda: scheduler.utc_ms() // 1000
        )
        self.counters: Counter[str] = Counter()
        self.on_notify: Callable[[bytes, bool], bool] | None = None
        self._rng = Random(f"meter {seed}")
        self._tid = self._rng.randrange(0x1000)
        self._unconfirmed: dict[int, list[Property]] = {}
        self._node = self._node_profile()
        self._timer: Timer | None = None

    # -- requests

    def answer(self, payload: bytes) -> bytes | None:
        """The reply to one datagram; None when there is none to give."""
        message = frames.parse(payload)
        if message is None:
            self.counters["malformed"] += 1
            return None
        if message.service == frames.INFC_RES:
            self._unconfirmed.pop(message.tid, None)
            return None
        if not 0x60 <= message.service <= 0x6F:
            return None
        source = _object(message.target)
        if source is None:
            return None
        self.counters["requests"] += 1
        reply = self._serve(message, source)
        if reply is None or self.manners.silent:
            return None
        self.counters["answers"] += 1
        return self._spoil(reply)

    def _serve(self, message: Message, source: int) -> bytes | None:
        service = message.service
        if service == frames.SETGET:
            # Not among the services of a meter: everything is refused.
            return frames.build(
                message.tid,
                source,
                message.source,
                frames.SETGET_SNA,
                message.properties,
                [(epc, b"") for epc, _ in message.more],
            )
        asked = message.properties[: self.manners.limit]
        bad = len(asked) < len(message.properties)
        if service in (frames.SETI, frames.SETC):
            done: list[Property] = []
            for epc, edt in asked:
                ok = source == METER and self.metering.set(epc, edt)
                done.append((epc, b"" if ok else edt))
                bad = bad or not ok
            if service == frames.SETI and not bad:
                return None
        elif service in (frames.GET, frames.INF_REQ):
            done = []
            for epc, _ in asked:
                edt = self._get(source, epc)
                done.append((epc, edt or b""))
                bad = bad or edt is None
        else:
            return None
        code = service - 0x10 if bad else service + 0x10
        return frames.build(message.tid, source, message.source, code, done)

    def _get(self, source: int, epc: int) -> bytes | None:
        return self.metering.get(epc) if source == METER else self._node.get(epc)

    def _node_profile(self) -> dict[int, bytes]:
        kit = self.metering.equipment
        table = {
            0x80: b"\x30",
            0x82: b"\x01\x0c\x01\x00",
            0x83: b"\xfe" + kit.maker + kit.serial.rjust(13, b"0"),
            0x8A: kit.maker,
            0x9D: property_map((0x80, 0xD5)),
            0x9E: property_map(()),
            0xD3: b"\x00\x00\x01",
            0xD4: b"\x00\x02",
            0xD5: _INSTANCES,
            0xD6: _INSTANCES,
            0xD7: b"\x01\x02\x88",
        }
        table[0x9F] = property_map([epc for epc in table if epc != 0xD5] + [0x9F])
        return table

    def _spoil(self, reply: bytes) -> bytes:
        manners = self.manners
        if not (manners.wrong_epc or manners.wrong_tid or manners.short):
            return reply
        dice = self._rng.random()
        if dice < manners.wrong_epc:
            self.counters["wrong epc"] += 1
            return reply[:12] + bytes([0x80 | (reply[12] + 0x11) & 0x7F]) + reply[13:]
        dice -= manners.wrong_epc
        if 0 <= dice < manners.wrong_tid:
            self.counters["wrong tid"] += 1
            return reply[:2] + bytes([reply[2] ^ 0x40]) + reply[3:]
        dice -= manners.wrong_tid
        if 0 <= dice < manners.short:
            self.counters["short"] += 1
            return reply[: self._rng.randrange(1, len(reply))]
        return reply

    # -- what the meter says by itself

    def start(self) -> None:
        """Begin to announce the half-hours."""
        if self._timer is None:
            self._arm((self.metering.now() // SLOT + 1) * SLOT)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def announce(self) -> None:
        """The instance list, as after every authentication."""
        self._notify(NODE, NODE, frames.INF, [(0xD5, _INSTANCES)], multicast=True)

    def _arm(self, slot: int) -> None:
        # The half-hour is the meter's own: a wrong clock announces at the wrong time.
        offset = self.metering.equipment.clock_offset
        self._timer = self.scheduler.call_at_utc((slot - offset) * 1000, self._half_hour, slot)

    def _half_hour(self, slot: int) -> None:
        self._arm(slot + SLOT)
        if not self.manners.notify:
            return
        values = [(0xEA, self.metering.fixed_time(0, slot))]
        if self.metering.equipment.reverse:
            values.append((0xEB, self.metering.fixed_time(1, slot)))
        self.scheduler.call_later(self._rng.randrange(300_000), self._publish, values)

    def _publish(self, values: list[Property]) -> None:
        for part in [[value] for value in values] if self.manners.apart else [values]:
            if self.manners.confirm:
                self._ask_receipt(part, 3)
            else:
                self._notify(METER, CONTROLLER, frames.INF, part)

    def _ask_receipt(self, part: list[Property], tries: int) -> None:
        tid = self._tid
        self._unconfirmed[tid] = part
        self._notify(METER, CONTROLLER, frames.INFC, part)
        self.scheduler.call_later(20_000, self._again, tid, tries - 1)

    def _again(self, tid: int, tries: int) -> None:
        part = self._unconfirmed.pop(tid, None)
        if part is not None:
            self.counters["unconfirmed"] += 1
            if tries:
                self._ask_receipt(part, tries)

    def _notify(
        self,
        source: int,
        target: int,
        service: int,
        properties: Sequence[Property],
        *,
        multicast: bool = False,
    ) -> None:
        tid, self._tid = self._tid, (self._tid + 1) & 0xFFFF
        frame = frames.build(tid, source, target, service, properties)
        sent = self.on_notify is not None and self.on_notify(frame, multicast)
        self.counters["notified" if sent else "missed"] += 1


def _object(target: int) -> int | None:
    """The object a request is for: instance 00 means every one of the class."""
    for eoj in (METER, NODE):
        if target == eoj or target == eoj & 0xFFFF00:
            return eoj
    return None

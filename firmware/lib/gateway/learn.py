# What the gateway must know of a meter before its counters mean anything: loaded once after the
# start, and dropped.
from echonet import meter as m0288
from echonet.maps import decode
from echonet.planner import Planner
from micropython import const

_CONSTANTS = b"\x82\x8a\x8d\xd3\xd7\xe1"
_TRIES = const(6)


# -> True when all is known. What is known already is not asked for again.
async def learn(meter):
    ms = meter.try_ms * 2  # several properties at once: the meter may take its time
    memory = meter.memory
    if memory.map is None:
        frame = await meter.get(b"\x9f", ms)
        if frame is None:
            return False
        edt = frame.get(0x9F)
        found = meter.value(decode, edt)
        if found is None:
            return False
        if len(found) != edt[0]:
            # A bit was turned over on its way, or this meter cannot count: then it says so twice.
            edt = bytes(edt)
            frame = await meter.get(b"\x9f", ms)
            if frame is None or frame.get(0x9F) != edt:
                return False
        memory.map = found
    if not (meter.scale and meter.scale.known):  # an unusable one may be better this time
        plan = Planner(_CONSTANTS, memory.map)
        await meter.ask(plan, ms, _TRIES)
        if plan.missing:
            return False
        _settle(meter, plan.values)
    if meter.clock.quality in (None, "server") and meter.has(0x97):
        # Until the next poll it is left to a time server, which knows the second, too. By the
        # meter's minutes a reading may seem older than those from before the board's start.
        if memory.told is None:
            memory.told = 0
            return False
        await _read_clock(meter)
    return True


def _settle(meter, values):
    get = values.get
    coefficient = meter.value(m0288.u32, get(0xD3))
    if 0xD3 in values and coefficient is None:
        coefficient = 0  # told, but not understood: no energy rather than a wrong one
    unit = values[0xE1][0] if 0xE1 in values else None
    digits = values[0xD7][0] if 0xD7 in values else None
    maker = get(0x8A)
    meter.status.meter = {
        "maker": maker.hex() if maker else None,
        "serial": m0288.text(get(0x8D, b"")),
        "release": meter.value(m0288.release, get(0x82)),
        "coefficient": coefficient,
        "unit": unit,
        "digits": digits,
    }
    meter.settle((coefficient, unit, digits))
    if not meter.scale.known:
        text = "unit or coefficient of energy unknown: energies cannot be told"
        meter.status.problem("meter", "bad-answer", text)


# 97, 98: the meter's clock, to the minute. A fallback until NTP has spoken.
async def _read_clock(meter):
    frame = await meter.get(b"\x98\x97", meter.try_ms)
    if frame is None:
        return
    date, hm = frame.get(0x98), frame.get(0x97)
    if date and hm:
        utc = meter.guarded(m0288.clock, date, hm)
        if utc is not None:
            meter.memory.told = utc, meter.exchange.asked_ms

"""What begins and ends a session of an SKSTACK-IP module: loaded by the driver, not kept.

Each function takes the driver, whose lock is held.
"""

from binascii import hexlify, unhexlify

from micropython import const

from . import Info, JoinRefused, JoinTimeout, Pan, RadioError, Refused, Timeout
from .sk_parser import dbm

_SCAN = const(5000)  # ms, beside the time on the air
_END = const(15000)  # ms; EVENT 27 or 28 after SKTERM
_CLEARS = const(5000)  # ms; a meter refuses who comes back at once
_FIELDS = ((b"Channel", 2), (b"Pan ID", 4), (b"Addr", 16), (b"LQI", 2), (b"PairID", 8))


async def probe(radio, kind="auto"):
    firmware = (await radio._resync())[5:].strip().decode()
    # A scan or an authentication may still be going on.
    radio._flipped = radio._quiet = radio._limited = False
    radio._link(None, False)
    await _hush(radio)
    radio._echoed = False
    own = (await radio._do("SKINFO", want=b"EINFO ")).split()
    radio._quiet = not radio._echoed
    if len(own) < 6:
        raise RadioError("SKINFO: not understood")
    radio._dual = kind == "bp35c2" or (kind != "bp35a1" and own[5] != b"FFFE")
    app = None
    try:
        app = (await radio._do("SKAPPVER", want=b"EAPPVER "))[8:].strip().decode()
    except Refused:
        pass  # the RL7023 has no such command
    return await _learn(radio, firmware, app, kind == "rl7023")


# Echo off. One that stays on is no harm.
async def _hush(radio):
    if not radio._quiet:
        try:
            await radio._do("SKSREG", b" SFE 0")
        except Refused as error:
            radio._log.debug("%s", error)


# Some modules know no ROPT, and hexadecimal data only.
async def _learn(radio, firmware, app, hex_data=False):
    try:
        hex_data = hex_data or await radio._do("ROPT") != b"00"
    except Refused:
        hex_data = True
    radio.info = Info("skstack", "dual" if radio._dual else "single", firmware, app, hex_data)
    return radio.info


async def configure(radio, rbid, password):
    rbid = _credential(rbid, "id", 32)
    password = _credential(password, "password", 1)
    info = radio.info or await probe(radio)
    await _hush(radio)
    if not info.hex_data:
        try:
            await radio._do("WOPT", b" 01")
            info = await _learn(radio, info.firmware, info.app)
        except Refused as error:  # raw data will do
            radio._log.warn("%s", error)
    # Elsewhere than in the dual stack, SA2 is the transmit power.
    if radio._dual and info.firmware >= "1.5":
        try:
            if await radio._register(b"SA2") == 0:
                await radio._do("SKSREG", b" SA2 1")
        except Refused as error:
            radio._log.debug("no RSSI with datagrams: %s", error)
    await radio._do("SKSETPWD", b" %X %s" % (len(password), password))
    await radio._do("SKSETRBID", b" " + rbid)
    radio._pair_id = rbid[-8:].decode()


# Upper case, as the alphabet of both has it. What is refused is not repeated.
def _credential(text, name, shortest):
    text = text.upper()
    if not shortest <= len(text) <= 32:
        raise ValueError("B-route " + name + ": wrong length")
    for c in text:
        if not "!" <= c <= "~":
            raise ValueError("B-route " + name + ": a letter that none has")
    return text.encode()


async def scan(radio, duration=6, mask=0xFFFFFFFF, paired=True):
    # 9.6 ms x (2^duration + 1) on each of up to 28 channels
    limit = 0
    for i in range(28):
        limit += mask >> i & 1
    limit = limit * 96 * ((1 << duration) + 1) // 10
    if not limit or not 0 <= duration <= 14:
        raise ValueError("scan: duration 0 to 14, a mask with channels")

    def build(mask):
        side = b" 0" if radio._dual else b""
        return b"SKSCAN %d %08X %X%s\r\n" % (2 if paired else 3, mask, duration, side)

    await _scan_over(radio)
    radio._found = []
    radio._scan_until = radio._clock.ms() + limit * 5 // 2 + _SCAN
    try:
        await radio._either("SKSCAN", build, mask, _SCAN)
    except Timeout:
        pass  # as has been reported of the RL7023; EVENT 22 will tell
    except Refused:
        radio._scan_until = None
        raise
    if not await _scan_over(radio):
        raise Timeout("SKSCAN")
    pans = []
    for fields in radio._found:
        try:
            pans.append(_pan(fields))
        except (KeyError, ValueError):
            radio.counters["partial"] += 1
    radio._found = []
    best = _best(pans, None)
    if paired and best and best.rssi is not None:
        radio._heard(best.rssi)
    return pans


async def find(radio, durations=(5, 6, 7, 8)):
    for duration in durations:
        best = _best(await scan(radio, duration, 0xFFFFFFFF, True), radio._pair_id)
        if best:
            return best
    return None


def _best(pans, pair_id):
    best = None
    for pan in pans:
        if pair_id and pan.pair_id and pan.pair_id != pair_id:
            continue
        if best is None or (pan.rssi or -999) > (best.rssi or -999):
            best = pan
    return best


# The Pan that an EPANDESC's fields describe. Damaged ones raise ValueError, missing ones KeyError.
def _pan(fields):
    for name, digits in _FIELDS:
        if name in fields and len(fields[name]) != digits:
            raise ValueError
    channel = unhexlify(fields[b"Channel"])[0]
    if not 0x21 <= channel <= 0x3C:
        raise ValueError
    high, low = unhexlify(fields[b"Pan ID"])
    lqi = unhexlify(fields[b"LQI"])[0] if b"LQI" in fields else None
    pair_id = "".join([chr(c) for c in fields.get(b"PairID", b"")])
    return Pan(
        channel,
        high << 8 | low,
        unhexlify(fields[b"Addr"]),
        None if lqi is None else dbm(lqi),
        pair_id or None,
    )


# Waits for EVENT 22 of a scan, also of one that was given up; False when it did not come.
async def _scan_over(radio):
    while radio._scan_until is not None:
        if not await radio._change(radio._scan_until):
            radio._scan_until = None
            return False
    return True


async def join(radio, pan, timeout_ms=60000):
    if radio._limited:
        radio._check_gate()
    await _scan_over(radio)
    # The module may have a session, or be joining yet. Unless the meter is told that this is over,
    # it refuses the next one; and so it does for a moment after that.
    if radio._outcome in (0, 0x25):
        await leave(radio)
    if radio._outcome in (0x26, 0x27, 0x28):
        await radio._clock.sleep_ms(_CLEARS)
    await radio._do("SKSREG", b" S2 %02X" % pan.channel)
    await radio._do("SKSREG", b" S3 %04X" % pan.pan_id)
    radio._address = await radio._do("SKLL64", b" " + hexlify(pan.mac).upper(), b"")
    radio._outcome = 0
    radio._link("joining", False)
    try:
        await radio._do("SKJOIN", b" " + radio._address)
        await radio._settled(timeout_ms)
    finally:
        if radio._phase == "joining":
            radio._link(None, False)
    if radio._outcome == 0x24:
        raise JoinRefused("the authentication failed")
    if not radio.joined:
        raise JoinTimeout("the authentication came to no end")


async def leave(radio):
    radio._outcome = 0
    try:
        await radio._do("SKTERM")
        until = radio._clock.ms() + _END
        while radio._outcome not in (0x27, 0x28) and await radio._change(until):
            pass
    except Refused as error:
        if error.code != "ER10":
            raise
        radio._outcome = None  # no session
    radio._link(None, False)


async def reset(radio):
    radio._quiet = False
    await radio._do("SKRESET")
    radio._forget()

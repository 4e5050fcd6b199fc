"""What a J11 module needs around a session: loaded by the driver when needed, not kept.

Each function takes the driver, whose lock is held.
"""

from binascii import hexlify
from struct import pack

from micropython import const

from . import GateClosed, Info, JoinRefused, JoinTimeout, Pan, RadioError, Refused, Timeout

_PROBE = const(1200)  # ms; the module waits for the rest of half a frame for 1 s
_HOUR = const(3_600_000)
_EXTRA = const(90)  # ms of each channel, beside the time that it is listened to
_STEPS = const(24)  # of the longest way, with all detours
_FAULTS = const(3)  # on it
_MISSES = const(3)  # beacons
_CLEARS = const(5000)  # ms; till the meter knows, and takes who comes back


async def probe(radio, kind="auto"):
    tries = 3
    while True:
        try:
            got = await radio._ask(0x006B, b"", _PROBE)
            break
        except RadioError as error:
            tries -= 1
            if not tries:
                raise
            if isinstance(error, Refused):
                await _excuse(radio, error)
    radio._link(None, False)
    version = "%d.%d" % (got[2], got[3])
    radio.info = Info("j11", "dual", version, hexlify(got[4:8]).decode().upper(), False)
    return radio.info


async def configure(radio, rbid, password):
    credentials = _credential(rbid, "id", 32) + _credential(password, "password", 12)
    state = radio._state
    if state.credentials not in (None, credentials):
        state.stale = True
    state.credentials = credentials
    state.told = False
    await _climb(radio, None)


# Upper case, as the alphabet of both has it. What is refused is not repeated.
def _credential(text, name, size):
    text = text.upper()
    if len(text) != size:
        raise ValueError("B-route " + name + ": wrong length")
    for c in text:
        if not "!" <= c <= "~":
            raise ValueError("B-route " + name + ": a letter that none has")
    return text.encode()


async def scan(radio, duration=6, mask=0xFFFFFFFF, paired=True):
    channels = count = highest = 0
    for i in range(14):
        if mask >> 2 * i & 1:
            highest = 4 + i
            channels |= 1 << highest
            count += 1
    if not count or not 1 <= duration <= 14:
        raise ValueError("scan: duration 1 to 14, a mask with channels")
    if paired and not radio._state.credentials:
        raise RadioError("no credentials to scan for")
    pair_id = radio._state.credentials[24:32] if paired else b""
    data = pack(">BIB", duration, channels, paired) + pair_id
    ms = count * ((964 << duration) // 100 + _EXTRA) + 1000
    for last in (False, True):
        await _climb(radio, None)
        radio._found = []
        radio._channel = 0
        try:
            await radio._ask(0x0051, data, ms)
            break
        except Timeout:
            if radio._channel == highest:  # only its end was lost
                break
            raise
        except Refused as error:
            if last:
                raise
            await _excuse(radio, error)
    pans = []
    for channel, mac, pan_id, rssi in radio._found:
        pan = Pan(0x21 + 2 * (channel - 4), pan_id, mac, rssi, pair_id.decode() or None)
        if pan not in pans:
            pans.append(pan)
    radio._found = []
    best = _best(pans)
    if paired and best and best.rssi is not None:
        radio._heard(best.rssi)
    return pans


async def find(radio, durations=(5, 6, 7, 8)):
    for duration in durations:
        best = _best(await scan(radio, duration, 0xFFFFFFFF, True))
        if best:
            return best
    return None


def _best(pans):
    best = None
    for pan in pans:
        if best is None or (pan.rssi or -999) > (best.rssi or -999):
            best = pan
    return best


# Goes on until there is a session (None) or an authentication would be next.
async def _climb(radio, goal):
    state = radio._state
    state.goal = goal
    state.level = None
    faults = missed = 0
    for _ in range(_STEPS):
        code = state.step()
        if code is None or code == 0x0056:
            return code
        try:
            await radio._ask(code, state.data(code))
            if code == 0x0001 and radio.joined and state.level != 3:
                radio.on_event(0x34, None)
        except Timeout:
            faults += 1
            if faults == _FAULTS:
                raise
            state.level = None
        except Refused as error:
            if error.code == "0E":
                missed += 1
                if missed == _MISSES:
                    raise JoinTimeout("no beacon of the meter on its channel")
                continue
            faults += 1
            if faults == _FAULTS:
                raise
            await _excuse(radio, error)
    raise RadioError("the module does not get ready")


# A module that is busy is reset; one that stands elsewhere than thought has told so to the state.
async def _excuse(radio, error):
    if error.code in ("3D", "52"):
        await reset(radio)
    elif error.code not in ("10", "34", "35", "37"):
        raise error


async def reset(radio):
    try:
        await radio._ask(0x00D9)
    except Timeout:
        # Has only the word of it been lost?
        await radio._ask(0x0001)
        if radio._state.level:
            raise
    radio._forget()


# A budget that was used up is not the meter's silence.
async def join(radio, pan, timeout_ms=60000):
    try:
        await _join(radio, pan, timeout_ms)
        return radio._state.peer[0]
    except JoinTimeout:
        if radio._spent and radio._clock.ms() - radio._spent < _HOUR:
            raise GateClosed("limited")
        raise


# The time is that of all together, but half of it is left for the authentication at least.
async def _join(radio, pan, timeout_ms):
    until = radio._clock.ms() + timeout_ms
    channel = pan.channel - 0x21
    if channel & 1 or not 0 <= channel <= 26:
        raise JoinTimeout("not a channel of this module")
    if radio._limited:
        radio._check_gate()
    if radio._outcome == 0:  # an authentication that was given up goes on for minutes
        await reset(radio)
    goal = (4 + channel // 2, bytes(pan.mac), pan.pan_id)
    if await _climb(radio, goal):
        try:
            return await _authenticate(radio, until, timeout_ms // 2)
        except Refused as error:
            await _excuse(radio, error)
        if await _climb(radio, goal):
            return await _authenticate(radio, until, timeout_ms // 2)
    if not radio.joined:
        radio.on_event(0x25, None)


async def _authenticate(radio, until, least):
    radio._outcome = 0
    radio._link("joining", False)
    try:
        await radio._ask(0x0056)
        await radio._settled(max(until - radio._clock.ms(), least))
    except Refused:
        radio._outcome = None
        raise
    finally:
        if radio._phase == "joining":
            radio._link(None, False)
    if radio._outcome == 0:
        # Left alone it would take up to 12 minutes. But perhaps only its end went unheard.
        try:
            await radio._ask(0x0001)
        except Refused as error:
            radio._log.debug("%s", error)  # busy with it
        if radio._state.level == 3:
            return radio.on_event(0x25, None)
        await reset(radio)
    if radio._outcome == 2:
        raise JoinRefused("the authentication failed")
    if not radio.joined:
        raise JoinTimeout("the authentication came to no end")


async def renew(radio):
    radio._refresh()
    try:
        await radio._ask(0x00D2)
    except RadioError:
        radio._link(None, radio.joined)  # it goes on with the old keys
        raise


async def leave(radio):
    radio._state.stale = True
    radio._link(None, False)
    try:
        await radio._ask(0x0057)
        await radio._clock.sleep_ms(_CLEARS)
    except Refused as error:
        await _excuse(radio, error)

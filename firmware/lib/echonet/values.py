# Any property of a meter or a node by its EPC, for people and tests; the gateway's own path is
# meter.py. Imported when needed, and dropped again.
from echonet import EchonetError, history, maps
from echonet.dates import utc
from echonet.meter import counter, currents, fixed_time, minute, power, sized, text, u16, u32

# EDT sizes of what is shown in hexadecimal.
_HEX = {0x83: 17, 0x89: 2, 0x8A: 3, 0x8B: 3, 0xC0: 16}


def decode(epc, edt):
    """Typed value of property `epc` of class 0x0288 or of its super class.

    80, 88: True (on, fault). 81: code, or the 17 bytes in hexadecimal. 82: (letter, revision). 8C,
    8D: text. 8E, 98: (year, month, day). 97: (hour, minute). 9A: seconds. 9D-9F: EPCs, as bytes.
    D0: (UTC, normal, reverse). D3, D7: numbers. E0, E3: counts. E1: its code. E2, E4: (day or
    None, 48 counts). E5: day or None. E7: W. E8: (R, T) in 0.1 A. EA, EB: (UTC, counts). EC, EE:
    list of (UTC, normal, reverse). ED, EF: (UTC, entries) or None. All others: hexadecimal text.
    None among them is "not measured"; E7 and E8 also know "overflow" and "underflow". EchonetError
    when the data cannot be that property.
    """
    edt = bytes(edt)
    fn = _DECODERS.get(epc)
    if fn:
        return fn(edt)
    if epc in _HEX:
        sized(edt, 0, _HEX[epc])
    return edt.hex() if edt else ""  # of nothing, MicroPython makes bytes


# One byte of a range.
def _byte(edt, low, high):
    sized(edt, 0, 1)
    if not low <= edt[0] <= high:
        raise EchonetError("%02X is not in %02X to %02X" % (edt[0], low, high))
    return edt[0]


def _location(edt):
    if len(edt) == 1:
        return edt[0]
    sized(edt, 0, 17)
    _byte(edt[:1], 1, 1)
    return edt.hex()


def _version(edt):
    sized(edt, 0, 4)
    return chr(edt[2]), edt[3]


def _text(edt):
    sized(edt, 0, 12)
    return text(edt)


def _date(edt):
    sized(edt, 0, 4)
    utc(u16(edt, 0), edt[2], edt[3])
    return u16(edt, 0), edt[2], edt[3]


def _time(edt):
    sized(edt, 0, 2)
    utc(2000, 1, 1, edt[0], edt[1])
    return edt[0], edt[1]


def _worked(edt):
    sized(edt, 0, 5)
    return (1, 60, 3600, 86400)[_byte(edt[:1], 0x41, 0x44) - 0x41] * u32(edt[1:])


def _coefficient(edt):
    v = u32(edt)
    if v > 999_999:
        raise EchonetError("coefficient %d" % v)
    return v


def _power(edt):
    return _why(power(edt), edt[3])


def _currents(edt):
    r, t = currents(edt)
    return _why(r, edt[1]), _why(t, edt[3])


# What the last byte of a sentinel says: ..FE, ..FF, ..00.
def _why(value, last):
    return (None, "overflow", "underflow")[(last + 2) & 0xFF] if value is None else value


def _day_values(edt):
    return history.day(edt), [history.slot(edt, k) for k in range(48)]


def _day(edt):
    return None if edt == b"\xff" else _byte(edt, 0, 99)


_DECODERS = {
    0x80: lambda edt: _byte(edt, 0x30, 0x31) == 0x30,
    0x81: _location,
    0x82: _version,
    0x88: lambda edt: _byte(edt, 0x41, 0x42) == 0x41,
    0x8C: _text,
    0x8D: _text,
    0x8E: _date,
    0x97: _time,
    0x98: _date,
    0x9A: _worked,
    0x9D: maps.decode,
    0x9E: maps.decode,
    0x9F: maps.decode,
    0xD0: minute,
    0xD3: _coefficient,
    0xD7: lambda edt: _byte(edt, 1, 8),
    0xE0: counter,
    0xE1: lambda edt: _byte(edt, 0, 0xFF),
    0xE2: _day_values,
    0xE3: counter,
    0xE4: _day_values,
    0xE5: _day,
    0xE7: _power,
    0xE8: _currents,
    0xEA: fixed_time,
    0xEB: fixed_time,
    0xEC: lambda edt: list(history.entries(edt)),
    0xED: history.requested,
    0xEE: lambda edt: list(history.entries(edt, 0, history.MINUTE)),
    0xEF: lambda edt: history.requested(edt, 0, history.MINUTE),
}

# Blobs in the flash's NVS area that survive a power cut: two copies, written in turn. Loaded to
# read or write one, and dropped again: that is a few times a day.
import json
import struct
from binascii import crc32
from os import urandom

from micropython import const

_HEAD = "<4sHHI"  # magic, generation, length, CRC32 of the 8 bytes before it and the payload
_HEAD_SIZE = const(12)
_MAGIC = b"KSN1"


class Twins:
    """One blob under two NVS names, `<name>.0` and `<name>.1`, written in turn.

    A write never touches the newest good copy, so a power cut during it costs nothing but the
    write itself. `damage` says in plain words which copy was found broken, or is None.
    """

    def __init__(self, nvs, name, limit):
        self.nvs = nvs
        self.name = name
        self.limit = limit  # bytes of payload
        self.damage = None
        self._slot = 1  # where the newest good copy lies
        self._generation = 0

    def load(self):
        """The newest good payload as bytes, or None when there is none."""
        best = None
        bad = []
        for slot in (0, 1):
            blob = self.nvs.get("%s.%d" % (self.name, slot))
            if blob is None:
                continue
            found = _open(blob)
            if found is None:
                bad.append(str(slot))
            # Generations wrap at 16 bits; the two copies are never more than one apart.
            elif best is None or (found[0] - self._generation) & 0xFFFF < 0x8000:
                best = found[1]
                self._slot = slot
                self._generation = found[0]
        if bad and best is None:
            self.damage = "%s: no good copy left (%s)" % (self.name, ", ".join(bad))
        elif bad:
            self.damage = "%s: copy %s damaged, the other one is used" % (self.name, bad[0])
        return best

    def save(self, payload):
        """Write payload (bytes). ValueError when it is too long, OSError from the flash."""
        if len(payload) > self.limit:
            raise ValueError("%s: %d bytes, room for %d" % (self.name, len(payload), self.limit))
        generation = (self._generation + 1) & 0xFFFF
        slot = 1 - self._slot
        blob = bytearray(_HEAD_SIZE + len(payload))
        blob[_HEAD_SIZE:] = payload
        struct.pack_into(_HEAD, blob, 0, _MAGIC, generation, len(payload), 0)
        struct.pack_into("<I", blob, 8, _crc(blob))
        self.nvs.set("%s.%d" % (self.name, slot), blob)
        self.nvs.commit()
        self._slot = slot
        self._generation = generation


def change(nvs, name, value):
    """Change a fact of gateway.store; "boot" is counted up. -> (all facts, what was damaged).

    OSError when it cannot be written; but a boot goes on without.
    """
    twins = Twins(nvs, "memory", 400)
    payload = twins.load()
    facts = {} if payload is None else json.loads(payload)
    if name == "boot":
        value = facts.get(name, 0) + 1
    if value is None:
        facts.pop(name, None)
    else:
        facts[name] = value
    try:
        twins.save(json.dumps(facts).encode())
    except OSError as e:
        if name != "boot":
            raise
        # The next boot would count to the same number, which tells whose readings wait for their
        # time: so it is drawn.
        facts[name] = struct.unpack("<H", urandom(2))[0]
        twins.damage = "memory: cannot be written, what is found out is lost at a restart (%s)" % e
    return facts, twins.damage


def _crc(blob):
    return crc32(memoryview(blob)[_HEAD_SIZE:], crc32(memoryview(blob)[:8])) & 0xFFFFFFFF


# (generation, payload) of a whole blob, or None.
def _open(blob):
    if len(blob) < _HEAD_SIZE:
        return None
    magic, generation, length, crc = struct.unpack_from(_HEAD, blob)
    if magic != _MAGIC or length != len(blob) - _HEAD_SIZE or crc != _crc(blob):
        return None
    return generation, bytes(blob[_HEAD_SIZE:])

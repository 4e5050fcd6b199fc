# What must survive a power cut, in the flash's NVS area: blobs in two alternating copies.
import json
import struct
from binascii import crc32, hexlify, unhexlify

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


class Store:
    """Small facts the gateway finds out by itself and keeps: not settings, nobody types them.

    `boot`: number of this boot, counted up by creating the object. `damage`: see Twins; then
    older facts, or none, are in force, and what must not go backwards has to begin afresh.
    """

    def __init__(self, nvs):
        self._twins = Twins(nvs, "memory", 400)
        payload = self._twins.load()
        self.damage = self._twins.damage
        self._facts = {} if payload is None else json.loads(payload)
        self.boot = self.get("boot", 0) + 1
        self.set("boot", self.boot)

    def get(self, name, default=None):
        return self._facts.get(name, default)

    def set(self, name, value):
        """Keep a value that JSON can hold; None forgets it. Writes only when something changed."""
        if self._facts.get(name) == value:
            return
        # Read afresh: an outbox that outlived a run of the gateway still holds the run's store.
        payload = self._twins.load()
        self._facts = facts = {} if payload is None else json.loads(payload)
        if value is None:
            facts.pop(name, None)
        else:
            facts[name] = value
        self._twins.save(json.dumps(facts).encode())

    def pan(self):
        """(channel, pan_id, mac bytes) of the meter joined last, or None."""
        pan = self.get("pan")
        return pan and (pan[0], pan[1], unhexlify(pan[2]))

    def set_pan(self, pan):
        self.set("pan", pan and [pan[0], pan[1], hexlify(pan[2]).decode()])

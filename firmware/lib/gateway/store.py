# Small facts that must survive a power cut.
from binascii import hexlify, unhexlify

import gateway


class Store:
    """What the gateway finds out by itself and keeps: not settings, nobody types it.

    `boot`: number of this boot, counted up by creating the object. `damage`: see Twins; then
    older facts, or none, are in force, or nothing can be kept, and what must not go backwards has
    to begin afresh.
    """

    def __init__(self, nvs):
        self._nvs = nvs
        self._facts = {}
        self.damage = self._change("boot", None)
        self.boot = self.get("boot")

    def get(self, name, default=None):
        return self._facts.get(name, default)

    def set(self, name, value):
        """Keep a value that JSON can hold; None forgets it. Writes only when something changes.

        OSError from the flash: then the old value is still in force.
        """
        if self._facts.get(name) != value:
            self._change(name, value)

    # Reads first: an outbox that outlives a run of the gateway still holds that run's store.
    # -> what was damaged, or None.
    def _change(self, name, value):
        from gateway import twins

        try:
            self._facts, damage = twins.change(self._nvs, name, value)
            return damage
        finally:
            gateway.drop("twins")

    def pan(self):
        """(channel, pan_id, mac bytes) of the meter joined last, or None."""
        pan = self.get("pan")
        return pan and (pan[0], pan[1], unhexlify(pan[2]))

    def set_pan(self, pan):
        self.set("pan", pan and [pan[0], pan[1], hexlify(pan[2]).decode()])

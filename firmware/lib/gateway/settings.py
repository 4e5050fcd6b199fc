# The settings, kept in flash. What they may be is in settings_check, loaded when it is needed.
import json

import gateway
from gateway.store import Twins
from micropython import const

LIMIT = const(2500)  # bytes of JSON; the flash area holds two copies beside the radio's own data


# Not in settings_check: who catches it must not meet another class after that was dropped.
class SettingError(ValueError):
    """A setting that cannot be: the text names the key, what is wrong and what to do.

    It never contains the value of a secret.
    """


class Settings:
    """`settings[key]` is the value in force: what the owner set, else the default, else None.

    `log` is told of a damaged copy. `damage` is the same text, or None.
    """

    def __init__(self, nvs, log=None):
        self._twins = Twins(nvs, "settings", LIMIT)
        payload = self._twins.load()
        self.damage = self._twins.damage
        if log and self.damage:
            log.error("%s", self.damage)
        # Keys of another version of the firmware are kept, so that going back loses nothing.
        self.own = {} if payload is None else json.loads(payload)
        self._merge()

    def _merge(self):
        from gateway.settings_table import TABLE

        self._all = {}
        self._hidden = []
        for key, default, _, secret in TABLE:
            self._all[key] = self.own.get(key, default)
            if secret:
                self._hidden.append(key)
        gateway.drop("settings_table")

    def __getitem__(self, key):
        return self._all[key]

    def secrets(self):
        """The secret values that are set: what a log must mask."""
        return [self._all[key] for key in self._hidden if self._all[key]]

    def missing(self):
        """Keys without which the gateway cannot do its work and which are not set."""
        need = ["broute.id", "broute.password", "server.url", "server.token"]
        if self["net.kind"] == "wifi":
            need.append("wifi.ssid")
        if self["net.mode"] == "static":
            need += ("net.ip", "net.mask", "net.gateway", "net.dns")
        return [key for key in need if not self[key]]

    def set(self, key, value):
        """Check, normalise and keep a value. SettingError tells what to type instead."""
        self.load({key: value})

    def unset(self, key):
        """Back to the default."""
        self.load({key: None})

    def load(self, values):
        """Set many at once: all of them, or none when one is wrong. None unsets.

        Keys that are not named keep their value, so an export without secrets can be loaded.
        """
        from gateway import settings_check

        settings_check.load(self, values)

    def save(self, own):
        """Keep the dict own as what is set. OSError when the flash did not take it."""
        if own != self.own or self.damage:
            self._twins.save(json.dumps(own).encode())
            self.own = own
            self.damage = None
            self._merge()

    def export(self, secrets=False):
        """{key: value} of what is set; secrets only when asked for."""
        from gateway import settings_check

        return settings_check.export(self, secrets)

    def problems(self):
        """[(key, text)] of values that do not fit each other or, after an update, their check."""
        from gateway import settings_check

        return settings_check.problems(self)

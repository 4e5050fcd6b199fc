# The settings, kept in flash. How they are changed and checked is in settings_edit and
# settings_check, loaded when that is needed.
import gateway
from micropython import const

LIMIT = const(2500)  # bytes of JSON; the flash area holds two copies beside the radio's own data


# Not in those: who catches it must not meet another class after they were dropped.
class SettingError(ValueError):
    """A setting that cannot be: the text names the key, what is wrong and what to do.

    It never contains the value of a secret.
    """


class Settings:
    """`settings[key]` is the value in force: what the owner set, else the default, else None.

    `log` is told of a damaged copy. `damage` is the same text, or None. Further methods, as if
    they were here: set, unset, load, export, missing, problems; see settings_edit.
    """

    def __init__(self, nvs, log=None):
        self.nvs = nvs
        self.read()
        if log and self.damage:
            log.error("%s", self.damage)

    def read(self):
        """Put in force what is in flash."""
        from gateway import settings_table

        self.own, self._all, self._hidden, self.damage = settings_table.read(self.nvs)
        del settings_table
        gateway.drop("settings_table", "twins")

    def __getitem__(self, key):
        return self._all[key]

    def secrets(self):
        """The secret values that are set: what a log must mask."""
        return [self._all[key] for key in self._hidden if self._all[key]]

    def __getattr__(self, name):
        from gateway import settings_edit

        method = getattr(settings_edit, name)
        return lambda *args, **kwargs: method(self, *args, **kwargs)

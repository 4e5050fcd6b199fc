"""Wi-SUN radio modules for the B route: what every driver shares, whatever its module speaks.

A driver takes a UART (`async readinto(mv)`, `async write(buf)`), a clock (`ms()`,
`async sleep_ms(n)`, `async wait_for(awaitable, ms)`), a log, and two callbacks, which are called
from inside its `run()`:

    on_datagram(payload, mac, secured, rssi)   payload: memoryview, valid only during the call
                                               mac: the sender's, 8 bytes; rssi: dBm or None
    on_event(code, value)

The codes are SKSTACK's where it has one, whatever the module speaks:

    20 beacon heard             29 the module renews the session
    21 sent: value 0            32, 33 hourly transmit budget used up; free again
       acknowledged by radio,   34 session lost: not renewed in time, or the meter's network or
       1 failed, 2 waits           keys are gone
    24 join failed (J11: 2      35 received what cannot be read (J11: value says why)
       refused, 3 no answer)    36 bytes dropped (value)
    25 joined, or renewed       37 reboot: the module forgot everything; probe and configure it
    26 the meter ended it
    27, 28 we ended it; unanswered
"""

from collections import namedtuple

# channel: as in register S2, 0x21 to 0x3C; mac: 8 bytes; rssi: dBm or None; pair_id: text or None
Pan = namedtuple("Pan", ("channel", "pan_id", "mac", "rssi", "pair_id"))

# protocol: "skstack" or "j11"; edition: "single" or "dual"; firmware, app: versions, text or None;
# hex_data: whether datagrams come as hexadecimal digits
Info = namedtuple("Info", ("protocol", "edition", "firmware", "app", "hex_data"))


class RadioError(Exception):
    """The radio module, or the link to the meter, did not do what was asked."""


class Timeout(RadioError):
    """The module gave no answer to a command in time; `.command` is its first word, or code."""

    def __init__(self, command):
        super().__init__(command + ": no answer from the module")
        self.command = command


class Refused(RadioError):
    """The module refused a command; `.code` is the reason ("ER06", "3D")."""

    def __init__(self, command, code):
        super().__init__(command + ": refused by the module, " + code)
        self.command = command
        self.code = code


class JoinRefused(RadioError):
    """The meter, or the way to it, refused the authentication."""


class JoinTimeout(RadioError):
    """The authentication did not come to an end in time."""


class GateClosed(RadioError):
    """Nothing may be sent now; `.why`: "joining", "refreshing", "limited" or "unjoined"."""

    def __init__(self, why):
        super().__init__("the gate is closed: " + why)
        self.why = why

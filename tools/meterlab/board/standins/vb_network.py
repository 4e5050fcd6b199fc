# The `network` module: the driver's side of a Wi-Fi and a LAN interface that live on the PC side.
#
# Its state survives a soft reset, as on a board: the driver is not Python's.
import vb_chip as chip
import vb_regs as r

STA_IF = 0
AP_IF = 1
MODE_11B = 1
MODE_11G = 2
MODE_11N = 4
AUTH_OPEN = 0
AUTH_WEP = 1
AUTH_WPA_PSK = 2
AUTH_WPA2_PSK = 3
AUTH_WPA_WPA2_PSK = 4
AUTH_WPA3_PSK = 6
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
STAT_ASSOC_FAIL = 203
STAT_CONNECT_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
PHY_LAN8710 = PHY_LAN8720 = 0
PHY_IP101 = 1
PHY_RTL8201 = 2
PHY_DP83848 = 3
PHY_KSZ8041 = 4
PHY_KSZ8081 = 5
PHY_W5500 = 10
ETH_INITIALIZED = 0
ETH_STARTED = 1
ETH_STOPPED = 2
ETH_CONNECTED = 3
ETH_DISCONNECTED = 4
ETH_GOT_IP = 5

_OK = 0
_UNKNOWN = -1


# One request to the driver, in words. -> its answer as str; raises what the driver's error raises
# on a board.
def _ask(*fields):
    status, n = chip.request("N", *fields)
    answer = chip.text(n)
    if status == _OK:
        return answer
    if status == _UNKNOWN:
        raise ValueError(answer)
    raise OSError(answer)


def _dotted(offset):
    return ".".join(str(x) for x in memoryview(chip.B)[offset : offset + 4])


def _parse(address):
    parts = address.split(".")
    try:
        good = len(parts) == 4 and all(0 <= int(part) < 256 for part in parts)
    except ValueError:
        good = False
    if not good:
        raise ValueError("invalid arguments")
    return address


def _mask(bits):
    value = 0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF
    return ".".join(str(value >> shift & 0xFF) for shift in (24, 16, 8, 0))


class _Interface:
    def ifconfig(self, config=None):
        if config is None:
            return tuple(_dotted(self._address + i) for i in (0, 4, 8, 12))
        if isinstance(config, (tuple, list)):
            if len(config) != 4:
                raise ValueError("requested length 4 but object has length %d" % len(config))
            address, mask, gateway, dns = config
            if isinstance(mask, int):
                mask = _mask(mask)
            fields = [_parse(x) for x in (address, mask, gateway, dns)]
            _ask(self._kind, "static", " ".join(fields))
        elif config == "dhcp":
            _ask(self._kind, "dhcp", "1")
        else:
            raise ValueError("invalid arguments")

    def ipconfig(self, param=None, **kwargs):
        if kwargs:
            if param is not None:
                raise TypeError("either pos or kw args are allowed")
            for key, value in kwargs.items():
                if key == "dhcp4":
                    _ask(self._kind, "dhcp", "1" if value else "0")
                elif key == "addr4":
                    if isinstance(value, str):
                        address, _, bits = value.partition("/")
                        value = (address, _mask(int(bits)) if bits else "255.255.255.0")
                    _ask(self._kind, "addr4", _parse(value[0]) + " " + _parse(value[1]))
                elif key == "gw4":
                    _ask(self._kind, "gw4", _parse(value))
                else:
                    raise ValueError("unexpected key")
            return None
        if param == "dhcp4":
            return _ask(self._kind, "get", "dhcp4") == "1"
        if param == "addr4":
            return _dotted(self._address), _dotted(self._address + 4)
        if param == "gw4":
            return _dotted(self._address + 8)
        raise ValueError("unexpected key")


class WLAN(_Interface):
    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2
    SEC_OPEN = 0
    SEC_WEP = 1
    SEC_WPA = 2
    SEC_WPA2 = 3
    SEC_WPA_WPA2 = 4
    SEC_WPA3 = 6
    _kind = "wlan"
    _address = r.WLAN_ADDRESS

    def __new__(cls, id=0):
        if id not in (STA_IF, AP_IF):
            raise ValueError("invalid WLAN interface identifier")
        return _ap if id == AP_IF else _sta

    def active(self, on=None):
        if on is not None:
            _ask("wlan", "active", "1" if on else "0")
        return chip.R[r.WLAN_ACTIVE] == 1

    def connect(self, ssid=None, key=None, *, bssid=None):
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        if chip.R[r.WLAN_BUSY]:
            raise OSError("Wifi Internal Error")
        if ssid is None:
            _ask("wlan", "connect")
        else:
            _ask("wlan", "connect", ssid, key or "")

    def disconnect(self):
        _ask("wlan", "disconnect")

    def isconnected(self):
        return chip.R[r.WLAN_CONNECTED] == 1

    def status(self, param=None):
        if param is None:
            return chip.R[r.WLAN_STATUS]
        if param == "rssi":
            if not chip.R[r.WLAN_LINKED]:
                raise OSError("Wifi Not Connected")
            return chip.R[r.WLAN_RSSI]
        if param == "stations":
            raise OSError("AP required")
        raise ValueError("unknown status param")

    # [(ssid, bssid, channel, rssi, security, hidden)]
    def scan(self):
        if not chip.R[r.WLAN_ACTIVE]:
            raise OSError("STA must be active")
        found = []
        for line in _ask("wlan", "scan").split("\n"):
            if line:
                bssid, channel, rssi, security, ssid = line.split(" ", 4)
                bssid = bytes(int(bssid[i : i + 2], 16) for i in range(0, 12, 2))
                found.append((ssid.encode(), bssid, int(channel), int(rssi), int(security), False))
        return found

    def config(self, *args, **kwargs):
        if args and kwargs:
            raise TypeError("either pos or kw args are allowed")
        for key, value in kwargs.items():
            if key in (
                "ssid",
                "essid",
                "key",
                "password",
                "hidden",
                "security",
                "authmode",
                "max_clients",
            ):
                raise OSError("AP required")
            _ask("wlan", "set", key, str(value))
        if kwargs:
            return None
        if len(args) != 1:
            raise TypeError("can query only one param")
        if args[0] == "mac":
            return bytes(memoryview(chip.B)[r.UNIQUE_ID : r.UNIQUE_ID + 6])
        answer = _ask("wlan", "get", args[0])
        if args[0] in ("ssid", "essid", "hostname", "dhcp_hostname"):
            return answer
        return int(answer) / 1 if args[0] == "txpower" else int(answer)


# The access point is there and does nothing: the firmware may switch it off.
class _AccessPoint:
    def active(self, on=None):
        if on:
            raise OSError("Wifi Unknown Error 0x0102")
        return False

    def isconnected(self):
        return False

    def status(self, param=None):
        return [] if param == "stations" else None


class LAN(_Interface):
    _kind = "lan"
    _address = r.LAN_ADDRESS

    def __init__(
        self, id=None, *, mdc=None, mdio=None, power=None, phy_addr=0, phy_type=0, **kwargs
    ):
        if not 0 <= phy_addr <= 31:
            raise ValueError("invalid phy address")
        if phy_type == PHY_W5500:
            good = all(kwargs.get(name) for name in ("spi", "cs", "int"))
        else:
            good = mdc and mdio and phy_type <= PHY_KSZ8081
        if not good:
            raise ValueError("invalid phy type, or without its pins")

    def active(self, on=None):
        if on is not None:
            _ask("lan", "active", "1" if on else "0")
        return chip.R[r.LAN_ACTIVE] == 1

    def isconnected(self):
        return chip.R[r.LAN_CONNECTED] == 1

    def status(self, param=None):
        return chip.R[r.LAN_STATUS]

    def config(self, *args, **kwargs):
        if kwargs:
            for key, value in kwargs.items():
                _ask("lan", "set", key, str(value))
            return None
        if args != ("mac",):
            raise ValueError("unknown config param")
        mac = bytearray(memoryview(chip.B)[r.UNIQUE_ID : r.UNIQUE_ID + 6])
        mac[5] = mac[5] + 3 & 0xFF
        return bytes(mac)


_ap = _AccessPoint()
_sta = object.__new__(WLAN)


def hostname(name=None):
    if name is None:
        return _ask("host", "get")
    if not 0 < len(name) <= 32:
        raise ValueError
    _ask("host", "set", name)


def country(code=None):
    if code is None:
        return _ask("country", "get")
    if len(code) != 2:
        raise ValueError
    _ask("country", "set", code.upper())


def ipconfig(param=None, **kwargs):
    if kwargs:
        for key, value in kwargs.items():
            if key == "dns":
                _ask("dns", "set", _parse(value))
            elif key != "prefer":
                raise ValueError("unexpected key")
        return None
    if param == "dns":
        return _ask("dns", "get")
    raise ValueError("unexpected key")


def phy_mode(mode=None):
    return None

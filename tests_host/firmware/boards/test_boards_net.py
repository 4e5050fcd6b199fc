# Wi-Fi and Ethernet of hw.py, on a chip that is recorded, not real.
from fakechip import chip, fresh
from fakechip import teardown_module as teardown_module
from helpers import raises

# -- Wi-Fi


def test_up_and_join():
    net = fresh().net
    assert net.kind == "wifi" and not net.connected()
    net.up("kenshin-beef", "JP")
    net.dhcp()
    net.join("house", "key")
    assert chip.wifi == [
        ("hostname", "kenshin-beef"),
        ("country", "JP"),
        ("active", True),
        ("config", {"reconnects": 2}),
        ("connect", "house", "key"),
    ]


def test_join_leaves_alone_what_is_under_way_or_done():
    net = fresh().net
    chip.status = 1001
    net.join("house", "key")
    assert chip.wifi == []
    chip.status, chip.connected, chip.ssid = 1010, True, "house"
    net.join("house", "key")
    assert chip.wifi == []
    net.join("other", "key")  # the settings were changed while the driver kept its connection
    assert chip.wifi == [("disconnect",), ("connect", "other", "key")]


def test_why_not():
    net = fresh().net
    for status, word in (
        (1000, "no-wifi"),
        (201, "no-wifi"),
        (202, "wrong-key"),
        (1000, "wrong-key"),
        (204, "wrong-key"),
        (200, "no-wifi"),
        (15, "wrong-key"),
        (1001, "wrong-key"),
        (8, "no-wifi"),
        (2, "wrong-key"),
        (205, "no-wifi"),
        (212, "no-wifi"),
    ):
        chip.status = status
        assert net.why() == word, status
    chip.status, chip.signal = 1001, -60
    assert net.why() == "no-address"


# The driver forgets the reason as soon as it is told to try again.
def test_the_reason_is_remembered_over_a_new_try():
    net = fresh().net
    chip.status = 202
    net.join("house", "key")
    chip.status = 1001
    assert net.why() == "wrong-key"


def test_addresses():
    net = fresh().net
    net.static("192.0.2.5", "255.255.255.0", "192.0.2.1", "192.0.2.2")
    assert chip.wifi == [("ifconfig", ("192.0.2.5", "255.255.255.0", "192.0.2.1", "192.0.2.2"))]
    net.dhcp()
    assert chip.wifi[-1] == ("dhcp", True)
    chip.config = ("192.0.2.5", "255.255.255.0", "192.0.2.1", "192.0.2.2")
    assert net.address() == chip.config


def test_signal():
    net = fresh().net
    assert net.rssi() is None
    chip.signal = -71
    assert net.rssi() == -71


def test_kick():
    net = fresh().net
    net.kick()
    assert chip.wifi == [("disconnect",), ("active", False)]


def test_errors_of_the_driver_come_through():
    net = fresh().net
    for error in (OSError("Wifi Internal Error"), RuntimeError("Wifi Unknown Error 0x0101")):
        chip.refuse = error
        assert raises(type(error), net.join, "house", "key") is error


def test_networks_in_sight():
    net = fresh().net
    chip.sight = [
        (b"far", b"1", 1, -80, 3, False),
        (b"house", b"2", 6, -60, 3, False),
        (b"house", b"3", 11, -50, 3, False),
        (b"", b"4", 6, -40, 3, True),
        (b"\xff\xfe", b"5", 6, -30, 3, False),
    ]
    assert net.scan() == [(-50, "house"), (-80, "far")]
    assert chip.wifi[0] == ("active", True)


def test_joining_says_whether_it_began():
    net = fresh().net
    assert net.join("house", "key") is True
    chip.status = 1001
    assert net.join("other", None) is False


def test_a_board_has_no_other_methods():
    board = fresh()
    for thing in (board, board.net):
        raises(AttributeError, getattr, thing, "burn")


def lan_pins():
    return {name: getattr(value, "number", value) for name, value in chip.lan.items()}


def test_ethernet_by_lan8720():
    board = fresh("generic-lan8720")
    net = board.net
    assert net.kind == "lan"
    assert lan_pins() == {"mdc": 23, "mdio": 18, "power": 12, "phy_addr": 0, "phy_type": 0}
    net.up("kenshin-beef", "JP")
    assert net.join(None, None) is False
    assert ("active", True) in chip.wifi and not [c for c in chip.wifi if c[0] == "connect"]
    assert net.rssi() is None
    for status, word in ((0, "no-cable"), (1, "no-cable"), (3, "no-address"), (4, "no-cable")):
        chip.lan_status = status
        assert net.why() == word
    net.kick()
    assert chip.wifi[-1] == ("active", False) and ("disconnect",) not in chip.wifi


def test_ethernet_by_w5500():
    fresh("generic-w5500")
    pins = lan_pins()
    assert pins.pop("spi").made == (2, 18, 23, 19)
    assert pins == {"cs": 5, "int": 4, "phy_addr": 0, "phy_type": 10}

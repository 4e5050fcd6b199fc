"""Wi-Fi and LAN: what a board's driver does on good and on bad days."""

from __future__ import annotations

import pytest

from meterlab.board import AccessPoint
from meterlab.board.network import GOT_IP


@pytest.fixture
def board(make_board):
    return make_board(networks=[AccessPoint("home", "good key", -61, 11)])


def test_before_and_after_connecting(wlan, board):
    assert wlan.eval("(w.active(), w.isconnected(), w.status() == network.STAT_IDLE)") == (
        False,
        False,
        True,
    )
    assert wlan.eval("w.ifconfig()") == ("0.0.0.0",) * 4
    wlan.run("w.active(True); w.connect('home', 'good key'); s = w.status(); c = w.isconnected()")
    assert wlan.eval("(s == network.STAT_CONNECTING, c)") == (True, False)
    wlan.run("wait(w.isconnected)")
    assert wlan.eval(
        "(w.status() == network.STAT_GOT_IP, w.status('rssi'), w.config('ssid'))"
    ) == (
        True, -61, "home",
    )  # fmt: skip
    assert wlan.eval("w.ifconfig()[1:]") == ("255.255.255.0", "192.168.4.1", "192.168.4.1")
    assert wlan.eval("w.ipconfig('dhcp4')") is True
    board.wifi_rssi(-88)
    assert wlan.eval("w.status('rssi')") == -88


def test_second_connect_is_an_error(wlan):
    wlan.run("w.active(True); w.connect('nobody', 'x')")
    with pytest.raises(AssertionError, match="OSError: Wifi Internal Error"):
        wlan.run("w.connect('home', 'good key')")
    wlan.run("w.disconnect(); w.connect('home', 'good key'); wait(w.isconnected)")
    with pytest.raises(AssertionError, match="OSError: Wifi Internal Error"):
        wlan.run("w.connect('home', 'good key')")


def test_not_active(wlan):
    with pytest.raises(AssertionError, match="OSError: Wifi Not Started"):
        wlan.run("w.connect('home', 'good key')")
    with pytest.raises(AssertionError, match="OSError: Wifi Not Connected"):
        wlan.run("w.status('rssi')")


def test_unbounded_it_says_connecting_for_ever_and_comes_by_itself(wlan, board):
    board.wifi("no-ap")
    wlan.run("w.active(True); w.connect('home', 'good key'); time.sleep_ms(900)")
    assert wlan.eval("w.status()") == 1001
    assert board.chip.wlan.attempts >= 2
    board.wifi(None)
    wlan.run("wait(w.isconnected)")


@pytest.mark.parametrize(("fault", "status"), [("no-ap", 201), ("wrong-key", 202)])
def test_bounded_it_says_why(wlan, board, fault, status):
    board.wifi(fault)
    wlan.run(
        "w.active(True); w.config(reconnects=1); w.connect('home', 'good key'); "
        "wait(lambda: w.status() < 1000)"
    )
    assert wlan.eval("(w.status(), w.config('reconnects'))") == (status, 1)
    board.wifi(None)
    wlan.run("w.connect('home', 'good key'); wait(w.isconnected)")


def test_key_and_name_are_compared(wlan):
    wlan.run(
        "w.active(True); w.config(reconnects=0)\n"
        "for a in (('home', 'bad'), ('else', 'good key')):\n    w.connect(*a); "
        "wait(lambda: w.status() < 1000); print(w.status())"
    )
    assert wlan.seen.endswith(b"OK202\r\n201\r\n\x04\x04>")


def test_without_an_address(wlan, board):
    board.wifi("no-address")
    wlan.run("w.active(True); w.connect('home', 'good key'); time.sleep_ms(400)")
    assert wlan.eval("(w.isconnected(), w.status(), w.status('rssi'))") == (False, 1001, -61)
    board.wifi(None)
    wlan.run("wait(w.isconnected)")


def test_lost_and_found_again(online, board):
    mark = board.events.mark()
    board.wifi("no-ap")
    online.run("wait(lambda: not w.isconnected())")
    board.wifi(None)
    online.run("wait(w.isconnected)")
    board.events.wait("wifi", 60, mark, lambda e: e["status"] == GOT_IP)
    board.wifi_drop()
    online.run("wait(w.isconnected)")


def test_static_address(wlan):
    wlan.run("w.active(True); w.ifconfig(('10.1.2.3', 24, '10.1.2.1', '10.1.2.2'))")
    wlan.run("w.connect('home', 'good key'); wait(w.isconnected)")
    assert wlan.eval("w.ifconfig()") == ("10.1.2.3", "255.255.255.0", "10.1.2.1", "10.1.2.2")
    assert wlan.eval("(w.ipconfig('addr4'), w.ipconfig('gw4'), w.ipconfig('dhcp4'))") == (
        ("10.1.2.3", "255.255.255.0"), "10.1.2.1", False,
    )  # fmt: skip
    wlan.run("w.ipconfig(addr4='10.1.2.9/16', gw4='10.1.0.1'); network.ipconfig(dns='10.1.0.2')")
    assert wlan.eval("w.ifconfig()") == ("10.1.2.9", "255.255.0.0", "10.1.0.1", "10.1.0.2")
    wlan.run("w.ifconfig('dhcp')")
    assert wlan.eval("(w.ifconfig()[0], network.ipconfig('dns'))") == (
        "192.168.4.23",
        "192.168.4.1",
    )
    for bad in ("('10.1.2', 24, '10.1.2.1', '10.1.2.2')", "('1.2.3.4',)", "'static'"):
        with pytest.raises(AssertionError, match="ValueError"):
            wlan.run(f"w.ifconfig({bad})")


def test_names(wlan, board):
    wlan.run("network.hostname('kenshin-0001'); network.country('jp')")
    assert wlan.eval("(network.hostname(), network.country())") == ("kenshin-0001", "JP")
    assert board.hostname == "kenshin-0001"
    for bad in ("hostname('x' * 33)", "hostname('')", "country('JPN')"):
        with pytest.raises(AssertionError, match="ValueError"):
            wlan.run(f"network.{bad}")


def test_configuration(wlan):
    wlan.run("w.config(pm=w.PM_NONE, txpower=8, channel=3)")
    assert wlan.eval("(w.config('pm'), w.config('channel'), len(w.config('mac')))") == (0, 3, 6)
    for bad in ("w.config('rssi')", "w.config(nothing=1)", "w.config()", "w.status('nothing')"):
        with pytest.raises(AssertionError, match="Error"):
            wlan.run(bad)


def test_scan(wlan):
    wlan.run("w.active(True)")
    [(ssid, bssid, channel, rssi, security, hidden)] = wlan.eval("w.scan()")
    assert (ssid, len(bssid), channel, rssi, security, hidden) == (b"home", 6, 11, -61, 3, False)


def test_a_hidden_network_is_found_by_who_knows_its_name(make_board, connect, start):
    points = [AccessPoint("home", "the right key", hidden=True), AccessPoint("other")]
    raw = connect(make_board(networks=points))
    raw.raw()
    raw.run(start + "w.active(True); w.connect('home', 'the right key')")
    assert sorted(raw.eval("[row[0] for row in w.scan()]")) == [b"", b"other"]
    raw.run("wait(w.isconnected)")
    assert raw.eval("w.config('ssid')") == "home"


def test_association_survives_a_soft_reset_and_not_a_hard_one(online, board, start):
    online.send(b"\x04")
    online.expect(b"soft reboot\r\nraw REPL; CTRL-B to exit\r\n>")
    online.run(start)
    assert online.eval("(w.isconnected(), w.config('ssid'))") == (True, "home")
    mark = board.events.mark()
    online.send(b"import machine; machine.reset()\x04")
    board.events.wait("boot", 60, mark)
    online.raw()
    online.run(start)
    assert online.eval("(w.active(), w.isconnected())") == (False, False)


def test_lan(make_board, connect, start):
    board = make_board()
    raw = connect(board)
    raw.raw()
    raw.run(start + "from machine import Pin, SPI")
    for made in (
        "network.LAN(phy_type=network.PHY_LAN8720, mdc=Pin(23))",
        "network.LAN(phy_type=network.PHY_W5500, mdc=Pin(23), mdio=Pin(18))",
        "network.LAN(phy_type=99, mdc=Pin(23), mdio=Pin(18))",
        "SPI(0, sck=Pin(18), mosi=Pin(23), miso=Pin(19))",
    ):
        with pytest.raises(AssertionError, match="ValueError"):
            raw.run(made)
    raw.run("l = network.LAN(mdc=23, mdio=18, phy_type=network.PHY_LAN8720, phy_addr=0)")
    assert raw.eval("(l.active(), l.isconnected())") == (False, False)
    raw.run("l.active(True); wait(l.isconnected)")
    assert raw.eval("(l.status() == network.ETH_GOT_IP, l.ifconfig()[0])") == (
        True,
        "192.168.4.23",
    )
    board.lan_cable(False)
    raw.run("wait(lambda: not l.isconnected())")
    board.lan_cable(True)
    raw.run("l.ifconfig(('10.0.0.5', '255.0.0.0', '10.0.0.1', '10.0.0.1'))")
    assert raw.eval("l.ifconfig()[0]") == "10.0.0.5"

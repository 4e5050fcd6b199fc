import captures
from captures import edt
from echonet import EchonetError, maps
from helpers import hex_, raises

TOSHIBA_9F = hex_("80818288 8A8D9798 9D9E9FD3 D7E0E1E2 E3E4E5E7 E8EAEBEC ED")


def test_bitmap_of_a_real_meter():
    assert maps.decode(edt(captures.P6, 0x9F)) == TOSHIBA_9F
    assert maps.encode(TOSHIBA_9F) == bytes(edt(captures.P6, 0x9F))


def test_list_of_a_real_meter():
    assert maps.decode(edt(captures.P8, 0x9E)) == hex_("81E5ED")
    assert maps.encode(hex_("81E5ED")) == hex_("0381E5ED")


def test_maps_of_a_controller_on_a_home_network():
    assert maps.decode(edt(captures.LAN_MAPS, 0x9D)) == hex_("808188")
    assert maps.decode(edt(captures.LAN_MAPS, 0x9F)) == hex_("808182888A939D9E9F")
    assert maps.decode(edt(captures.LAN_MAPS, 0x9E)) == hex_("8193")


def test_membership():
    have = maps.decode(edt(captures.P6, 0x9F))
    assert 0xE7 in have
    assert 0xD0 not in have
    assert 0x9C not in have


def test_every_bit_of_the_bitmap():
    for low in range(16):
        for high in range(8):
            data = bytearray(17)
            data[0] = 16
            data[1 + low] = 1 << high
            assert maps.decode(data) == bytes([0x80 + 0x10 * high + low])


def test_form_changes_at_sixteen():
    fifteen = bytes(range(0xE0, 0xEF))
    assert maps.encode(fifteen) == b"\x0f" + fifteen
    sixteen = bytes(range(0xE0, 0xF0))
    assert maps.encode(sixteen) == b"\x10" + b"\x40" * 16
    for epcs in (b"", fifteen[:1], fifteen, sixteen, bytes(range(0x80, 0x100))):
        assert maps.decode(maps.encode(epcs)) == epcs


def test_all_128_properties():
    assert maps.encode(range(0x80, 0x100)) == b"\x80" + b"\xff" * 16


def test_order_and_doubles_do_not_matter():
    assert maps.encode([0xED, 0x81, 0xE5, 0x81]) == hex_("0381E5ED")
    assert maps.decode(hex_("04ED81E581")) == hex_("81E5ED")


def test_empty_map():
    assert maps.encode(()) == b"\x00"
    assert maps.decode(b"\x00") == b""


def test_a_bitmap_counts_for_itself():
    data = bytearray(edt(captures.P6, 0x9F))
    for count in (0, 3, 24, 255):
        data[0] = count
        assert maps.decode(data) == TOSHIBA_9F


def test_lists_of_another_size_than_they_say():
    for data in ("", "01", "0281", "0181E5", "1081E5ED", "0F" + "81" * 14, "12" + "81" * 18):
        error = raises(EchonetError, maps.decode, hex_(data))
        assert str(error) == "property map of %d bytes" % (len(data) // 2)


def test_codes_below_80_are_no_properties():
    assert "EPC 7F" in str(raises(EchonetError, maps.decode, hex_("03817FED")))


def test_reads_bytes_bytearray_and_memoryview():
    for kind in (bytes, bytearray, memoryview):
        assert maps.decode(kind(hex_("0381E5ED"))) == hex_("81E5ED")

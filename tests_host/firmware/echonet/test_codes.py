import captures
from echonet import codes
from echonet.frame import Frame
from echonet.maps import decode


def test_every_service_has_a_name():
    data = bytearray(captures.N5 + b"\x00")
    for esv in range(256):
        data[10] = esv
        assert (esv in codes.ESV_NAMES) == readable(data)


# Is there a frame with this service? An empty SNA, a list of one, or two lists.
def readable(data):
    one = bytes(data[:11]) + b"\x01\xe7\x00"
    for frame in (bytes(data[:12]), one, one + b"\x01\xe2\x00"):
        try:
            Frame().parse(frame)
        except ValueError:
            continue
        return True
    return False


def test_every_property_of_a_real_meter_has_a_name():
    for epc in decode(captures.edt(captures.P6, 0x9F)):
        assert not codes.epc_name(0x028801, epc).startswith("property")


def test_names_depend_on_the_class():
    assert codes.epc_name(0x028801, 0xD3) == "coefficient"
    assert codes.epc_name(0x0EF001, 0xD3) == "number of own instances"
    assert codes.epc_name(0x05FF01, 0x80) == "operation status"
    assert codes.epc_name(0x028801, 0x9C) == "property 9C"


def test_a_frame_on_one_line():
    f = Frame()
    assert codes.show(f.parse(captures.P2)) == "7B6A 028801>05FF01 Get_Res E7=00000263"
    assert codes.show(f.parse(captures.P4)) == "0001 028801>05FF01 Get_SNA 83"
    assert codes.show(f.parse(captures.SETGET)) == "000A 05FF01>028801 SetGet E5=01 | E2"

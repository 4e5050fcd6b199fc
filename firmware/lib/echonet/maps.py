# Property maps (EPC 9D, 9E, 9F): a count, then up to 15 codes in a list or a bitmap of 16 bytes in
# which byte i, bit j stands for EPC 0x80 + 0x10 * j + i (ECHONET Lite part 2, appendix 1).
from echonet import EchonetError


def decode(edt):
    """The EPCs of a map as ascending bytes: `0xE7 in decode(edt)`, `list(decode(edt))`.

    A map of 17 bytes is a bitmap, and its bits count, whatever number stands before them.
    """
    size = len(edt)
    if size == 17:
        out = bytearray()
        for epc in range(0x80, 0x100):
            if edt[(epc & 0x0F) + 1] >> (epc >> 4) - 8 & 1:
                out.append(epc)
        return bytes(out)
    if not size or edt[0] + 1 != size or size > 16:
        raise EchonetError("property map of %d bytes" % size)
    epcs = sorted(set(edt[1:]))
    if epcs and epcs[0] < 0x80:
        raise EchonetError("EPC %02X in property map" % epcs[0])
    return bytes(epcs)


def encode(epcs):
    """The map of some EPCs in the form that their number asks for; doubles count once."""
    epcs = sorted(set(epcs))
    if len(epcs) < 16:
        return bytes([len(epcs)] + epcs)
    out = bytearray(17)
    out[0] = len(epcs)
    for epc in epcs:
        out[(epc & 0x0F) + 1] |= 1 << (epc >> 4) - 8
    return bytes(out)

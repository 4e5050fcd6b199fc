# The names of codes, for people: simulator, doctor, tests. A board never loads this.
# Appendix Release R: super class, class 0x0288, node profile 0x0EF0.

ESV_NAMES = {
    0x50: "SetI_SNA",
    0x51: "SetC_SNA",
    0x52: "Get_SNA",
    0x53: "INF_SNA",
    0x5E: "SetGet_SNA",
    0x60: "SetI",
    0x61: "SetC",
    0x62: "Get",
    0x63: "INF_REQ",
    0x6E: "SetGet",
    0x71: "Set_Res",
    0x72: "Get_Res",
    0x73: "INF",
    0x74: "INFC",
    0x7A: "INFC_Res",
    0x7E: "SetGet_Res",
}

# Every object has these.
SUPER_NAMES = {
    0x80: "operation status",
    0x81: "installation location",
    0x82: "standard version",
    0x83: "identification number",
    0x84: "own power consumption",
    0x85: "own energy consumption",
    0x86: "manufacturer's fault code",
    0x88: "fault status",
    0x89: "fault description",
    0x8A: "manufacturer code",
    0x8B: "facility code",
    0x8C: "product code",
    0x8D: "production number",
    0x8E: "production date",
    0x97: "current time",
    0x98: "current date",
    0x9A: "cumulative operating time",
    0x9D: "status change announcement map",
    0x9E: "set property map",
    0x9F: "get property map",
}

METER_NAMES = {
    0xC0: "route B identification number",
    0xD0: "one-minute cumulative energy, normal and reverse",
    0xD3: "coefficient",
    0xD7: "effective digits of cumulative energy",
    0xE0: "cumulative energy, normal direction",
    0xE1: "unit of cumulative energy",
    0xE2: "history of a day, normal direction",
    0xE3: "cumulative energy, reverse direction",
    0xE4: "history of a day, reverse direction",
    0xE5: "day for the history of a day",
    0xE7: "instantaneous power",
    0xE8: "instantaneous currents R and T",
    0xEA: "cumulative energy at a fixed time, normal direction",
    0xEB: "cumulative energy at a fixed time, reverse direction",
    0xEC: "half-hourly history, normal and reverse",
    0xED: "date and time for the half-hourly history",
    0xEE: "one-minute history, normal and reverse",
    0xEF: "date and time for the one-minute history",
}

NODE_NAMES = {
    0x82: "version",
    0xBF: "unique identifier data",
    0xD3: "number of own instances",
    0xD4: "number of own classes",
    0xD5: "instance list notification",
    0xD6: "own-node instance list S",
    0xD7: "own-node class list S",
}


def epc_name(eoj, epc):
    """What property `epc` of object `eoj` is called; "property 9C" when it has no name here."""
    own = {0x0288: METER_NAMES, 0x0EF0: NODE_NAMES}.get(eoj >> 8, {})
    return own.get(epc) or SUPER_NAMES.get(epc) or "property %02X" % epc


def show(frame):
    """A frame on one line: `0001 028801>05FF01 Get_Res E7=00000278 E8`."""
    line = "%04X %06X>%06X %s" % (frame.tid, frame.seoj, frame.deoj, ESV_NAMES[frame.esv])
    for i in range(frame.opc):
        line += _property(frame.epc(i), frame.edt(i))
    if frame.opc2:
        line += " |"
    for i in range(frame.opc2):
        line += _property(frame.epc2(i), frame.edt2(i))
    return line


def _property(epc, edt):
    return " %02X=%s" % (epc, bytes(edt).hex().upper()) if len(edt) else " %02X" % epc

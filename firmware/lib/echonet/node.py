# The objects that a controller, or a gateway on the LAN, shows to others: node profile and
# controller, and the answering of requests to them (ECHONET Lite part 2, 4.2.3 and 6.11; Appendix
# 3.6.2).
from echonet import maps
from echonet.frame import (
    ESV_GET,
    ESV_INF,
    ESV_INF_REQ,
    ESV_INFC,
    ESV_INFC_RES,
    ESV_SETC,
    ESV_SETGET,
    ESV_SETI,
    build,
)
from echonet.meter import CONTROLLER, NODE


class Object:
    """One object: `values` {EPC: bytes, or a function that gives them}, `setters` {EPC: function}.

    A setter gets the EDT and says whether it took it. `announced`: the EPCs of map 9D. The maps
    9D, 9E and 9F are made here. D5 of a node profile is announced and never read, so 9F leaves it
    out.
    """

    def __init__(self, eoj, values: dict, setters=None, announced=b"\x80\x81\x88"):
        self.eoj = eoj
        self.values = values
        self.setters = setters or {}
        values[0x9D] = maps.encode(announced)
        values[0x9E] = maps.encode(self.setters)
        values[0x9F] = b""
        self._unread = 0xD5 if eoj == NODE else 0
        values[0x9F] = maps.encode([epc for epc in values if epc != self._unread])

    def value(self, epc):
        """Data of a property; b"" when the object has none."""
        edt = self.values.get(epc, b"")
        return edt if isinstance(edt, bytes) else edt()

    def notify(self, buf, tid, epcs, deoj=NODE):
        """Writes an INF of these properties into `buf`. -> length."""
        props = [(epc, self.value(epc)) for epc in epcs]
        return build(buf, tid, self.eoj, deoj, ESV_INF, props)

    def answer(self, frame, buf):
        """Carries the request `frame` out and writes the answer into `buf`. -> length; 0 for none.

        `buf` is another buffer than the frame's, with room for a frame as long. Values that do not
        fit in it are left out, which makes the answer an SNA: no request can overrun the buffer.
        """
        esv = frame.esv
        props2 = None
        self._failed = False
        self._room = len(buf) - len(frame.data)
        if esv == ESV_INFC:
            return build(buf, frame.tid, self.eoj, frame.seoj, ESV_INFC_RES, frame.epcs())
        if esv == ESV_GET or esv == ESV_INF_REQ:
            props = self._read(frame, frame.first, frame.opc)
        elif esv == ESV_SETC or esv == ESV_SETI or esv == ESV_SETGET:
            props = self._write(frame)
            if esv == ESV_SETGET:
                props2 = self._read(frame, frame.first2, frame.opc2)
        else:
            return 0
        if not self._failed and esv == ESV_SETI:
            return 0
        esv += -0x10 if self._failed else 0x10
        return build(buf, frame.tid, self.eoj, frame.seoj, esv, props, props2)

    # What is asked, with data; PDC 0 for what there is not.
    def _read(self, frame, at, opc):
        props = []
        for _ in range(opc):
            epc = frame.data[at]
            edt = self.value(epc)
            if epc == self._unread and frame.esv != ESV_INF_REQ or len(edt) > self._room:
                edt = b""
            if not edt:
                self._failed = True
            self._room -= len(edt)
            props.append((epc, edt))
            at += 2 + frame.data[at + 1]
        return props

    # PDC 0 for what was taken; what was not is sent back as it came.
    def _write(self, frame):
        props = []
        at = frame.first
        for _ in range(frame.opc):
            epc = frame.data[at]
            end = at + 2 + frame.data[at + 1]
            edt = bytes(frame.data[at + 2 : end])
            setter = self.setters.get(epc)
            if setter and setter(edt):
                edt = b""
            else:
                self._failed = True
            props.append((epc, edt))
            at = end
        return props


class Node:
    """The objects of one node."""

    def __init__(self, *objects):
        self.objects = objects

    def answers(self, frame, buf):
        """For each object with an answer to `frame`: writes it into `buf` and yields its length.

        Instance 00 speaks to all of a class. Nobody answers for an object that does not exist.
        """
        for it in self.objects:
            if frame.deoj == it.eoj or frame.deoj == it.eoj & 0xFFFF00:
                n = it.answer(frame, buf)
                if n:
                    yield n


def _eoj(eoj):
    return bytes([eoj >> 16, eoj >> 8 & 0xFF, eoj & 0xFF])


def profile(maker, unique, eojs):
    """The node profile of a node with the instances `eojs`.

    `maker`: 3 bytes, FFFFFF without a code; `unique`: 13 bytes that stay the same over reboots.
    D3 and D7 leave the profile itself out, D4 counts it.
    """
    instances = bytes([len(eojs)]) + b"".join([_eoj(eoj) for eoj in eojs])
    classes = sorted({eoj >> 8 for eoj in eojs})
    return Object(
        NODE,
        {
            0x80: b"\x30",
            0x82: b"\x01\x0e\x01\x00",  # specification 1.14, format 1
            0x83: b"\xfe" + maker + unique,
            0x8A: maker,
            0xD3: _eoj(len(eojs)),
            0xD4: bytes([0, len(classes) + 1]),
            0xD5: instances,
            0xD6: instances,
            0xD7: bytes([len(classes)]) + b"".join([_eoj(c)[1:] for c in classes]),
        },
        announced=b"\x80\xd5",
    )


def controller(maker):
    """The controller 0x05FF01 with what is mandatory; its place (81) can be set, as it must be."""
    values = {
        0x80: b"\x30",
        0x81: b"\0",
        0x82: b"\0\0R\0",
        0x88: b"\x42",
        0x8A: maker,
    }

    def place(edt):
        if len(edt) == 1 or len(edt) == 17 and edt[0] == 1:
            values[0x81] = edt
            return True
        return False

    return Object(CONTROLLER, values, {0x81: place})

# Frames of format 1 (ECHONET Lite part 2, chapter 3): EHD TID SEOJ DEOJ ESV, then one property
# list, or two for SetGet. Reading copies nothing; writing goes into the caller's buffer.
from struct import pack_into

from echonet import EchonetError
from micropython import const

ESV_SETI_SNA = const(0x50)
ESV_SETC_SNA = const(0x51)
ESV_GET_SNA = const(0x52)
ESV_INF_SNA = const(0x53)
ESV_SETGET_SNA = const(0x5E)
ESV_SETI = const(0x60)
ESV_SETC = const(0x61)
ESV_GET = const(0x62)
ESV_INF_REQ = const(0x63)
ESV_SETGET = const(0x6E)
ESV_SET_RES = const(0x71)
ESV_GET_RES = const(0x72)
ESV_INF = const(0x73)
ESV_INFC = const(0x74)
ESV_INFC_RES = const(0x7A)
ESV_SETGET_RES = const(0x7E)

_ESVS = const(b"\x50\x51\x52\x53\x5e\x60\x61\x62\x63\x6e\x71\x72\x73\x74\x7a\x7e")
_OPC = const(11)  # where the number of properties lies
_FIRST = const(12)  # and the first property


class FormatTwo(EchonetError):
    """A frame with free contents (EHD2 82): not an error of the sender, and nothing to us."""


class Frame:
    """One received frame, read in place; the same object serves frame after frame.

    `tid`, `seoj`, `deoj` (0x028801), `esv`: integers. `opc`, `opc2`: properties in the first and,
    for SetGet, the second list. The views that `edt` and `get` give are windows on the buffer that
    was parsed. Without any allocation: `at = find(epc)`, then `data[at]` is the first byte of the
    EDT and `data[at - 1]` its length; or step through from `first` (`first2`), the offset of the
    list's first EPC: each property is EPC, PDC and PDC bytes.
    """

    def __init__(self):
        self.data = b""
        self.first = _FIRST
        self.tid = self.seoj = self.deoj = self.esv = self.opc = self.opc2 = self.first2 = 0

    def parse(self, buf):
        """Takes `buf` (bytes, bytearray or memoryview) as one whole frame; -> self.

        FormatTwo, or EchonetError naming the offending byte; the frame is then empty, not half
        read.
        """
        self.esv = self.opc = self.opc2 = 0
        size = len(buf)
        if size < 2:
            _short(size, 0)
        if buf[0] != 0x10 or buf[1] != 0x81:
            if buf[0] == 0x10 and buf[1] == 0x82:
                raise FormatTwo("format 2")
            _bad("EHD", buf[0] << 8 | buf[1], 0)
        if size < _FIRST:
            _short(size, 0)
        esv = buf[10]
        if esv not in _ESVS:
            _bad("ESV", esv, 10)
        end = _walk(buf, _OPC, esv)
        opc2 = 0
        if esv & 0x0F == 0x0E:  # SetGet: the list to set, then the list to get
            if end == size:
                _short(size, end)
            opc2 = buf[end]
            self.first2 = end + 1
            end = _walk(buf, end, esv)
        if end != size:
            _bad("excess", buf[end], end)
        self.data = buf
        self.tid = buf[2] << 8 | buf[3]
        self.seoj = buf[4] << 16 | buf[5] << 8 | buf[6]
        self.deoj = buf[7] << 16 | buf[8] << 8 | buf[9]
        self.opc = buf[_OPC]
        self.opc2 = opc2
        self.esv = esv
        return self

    def epc(self, i):
        """Property code number `i` of the list; IndexError beyond it."""
        return self.data[self._at(i, self.opc, _FIRST)]

    def edt(self, i):
        """memoryview of the data of property number `i`; empty for PDC 0."""
        return self._view(self._at(i, self.opc, _FIRST) + 2)

    def epc2(self, i):
        return self.data[self._at(i, self.opc2, self.first2)]

    def edt2(self, i):
        return self._view(self._at(i, self.opc2, self.first2) + 2)

    def epcs(self):
        """The property codes of the (first) list, as bytes."""
        data = self.data
        out = bytearray()
        at = _FIRST
        for _ in range(self.opc):
            out.append(data[at])
            at += 2 + data[at + 1]
        return bytes(out)

    def find(self, epc):
        """Offset in `data` of the EDT of the first property `epc`; 0 when absent."""
        data = self.data
        at = _FIRST
        for _ in range(self.opc):
            if data[at] == epc:
                return at + 2
            at += 2 + data[at + 1]
        return 0

    def get(self, epc):
        """memoryview of the EDT of the first property `epc`: empty for PDC 0, None when absent."""
        at = self.find(epc)
        return self._view(at) if at else None

    def _at(self, i, opc, at):
        if not 0 <= i < opc:
            raise IndexError
        data = self.data
        while i:
            at += 2 + data[at + 1]
            i -= 1
        return at

    def _view(self, at):
        data = self.data
        if not isinstance(data, memoryview):
            data = memoryview(data)
        return data[at : at + data[at - 1]]


# Goes through the list whose OPC lies at `at`. -> the offset behind it.
def _walk(buf, at, esv):
    size = len(buf)
    opc = buf[at]
    if not opc and esv >= ESV_SETI:  # an SNA may come with nothing at all
        _bad("OPC", 0, at)
    at += 1
    for _ in range(opc):
        end = at + 2
        if end <= size:
            if buf[at] < 0x80:
                _bad("EPC", buf[at], at)
            end += buf[at + 1]
        if end > size:
            _short(size, at)
        at = end
    return at


def _short(size, at):
    raise EchonetError("frame ends at byte %d, inside what starts at %d" % (size, at))


def _bad(what, value, at):
    raise EchonetError("%s %02X at byte %d" % (what, value, at))


def build(buf, tid, seoj, deoj, esv, props, props2=None):
    """Writes a frame to the start of `buf` (bytearray or memoryview). -> its length.

    `props`: sequence of (EPC, EDT); an EPC alone stands for PDC 0, so that a Get is simply
    `build(buf, tid, CONTROLLER, METER, ESV_GET, b"\\xe7\\xe8")`. `props2`: the second list of a
    SetGet. `tid` counts modulo 65,536. EchonetError when `buf` is too small or a code out of
    range.
    """
    if esv not in _ESVS or (props2 is None) == (esv & 0x0F == 0x0E):
        _bad("ESV", esv, 10)
    _room(buf, _FIRST)
    head = 0x10810000 | tid & 0xFFFF
    pack_into(">IBHBHB", buf, 0, head, seoj >> 16, seoj & 0xFFFF, deoj >> 16, deoj & 0xFFFF, esv)
    end = _put(buf, _OPC, props, esv)
    if props2 is not None:
        end = _put(buf, end, props2, esv)
    return end


# Writes one list with its OPC at `at`. -> the offset behind it.
def _put(buf, at, props, esv):
    opc = len(props)
    if opc > 255 or not opc and esv >= ESV_SETI:
        _bad("OPC", opc, at)
    _room(buf, at + 1)
    buf[at] = opc
    at += 1
    for prop in props:
        edt = b""
        if not isinstance(prop, int):
            prop, edt = prop
        pdc = len(edt)
        if not 0x80 <= prop <= 0xFF or pdc > 255:
            _bad("EPC", prop, at)
        end = at + 2 + pdc
        _room(buf, end)
        buf[at] = prop
        buf[at + 1] = pdc
        if pdc:
            buf[at + 2 : end] = edt
        at = end
    return at


def _room(buf, end):
    if end > len(buf):
        raise EchonetError("buffer of %d bytes too small" % len(buf))


def receipt(buf, frame):
    """Writes the INFC_Res that an INFC `frame` asks for: its TID, its EPCs, no data. -> length."""
    return build(buf, frame.tid, frame.deoj, frame.seoj, ESV_INFC_RES, frame.epcs())


def is_answer(frame, tid, seoj, esv, epcs):
    """Is `frame` the answer of object `seoj` to the request (`tid`, `esv`, `epcs`)?

    The TID alone says little: a meter numbers its own notifications, and they collide. So the
    service must be the request's response or its refusal (SNA), and every EPC one of those asked
    for. Fewer than asked may come: a meter cuts an over-long answer off, and an SNA may be empty.
    `epcs`: bytes, tuple or list; of a SetGet those to be set.
    """
    if frame.tid != tid or frame.seoj != seoj or frame.opc > len(epcs):
        return False
    if frame.esv != esv - 0x10 and frame.esv != (ESV_INFC_RES if esv == ESV_INFC else esv + 0x10):
        return False
    data = frame.data
    at = _FIRST
    for _ in range(frame.opc):
        if data[at] not in epcs:
            return False
        at += 2 + data[at + 1]
    return True

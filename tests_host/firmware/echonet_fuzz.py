"""Mutated frames and what must hold of each; for the fuzz tests, on both Pythons."""

import captures
from echonet import EchonetError, encode, history, meter, values
from echonet.frame import ESV_GET, FormatTwo, Frame, build, is_answer, receipt
from echonet.node import Node, Object, controller, profile
from echonet.planner import Planner

_ODD = b"\x00\x01\x02\x0b\x0f\x10\x1e\x5e\x6e\x7e\x7f\x80\x81\x82\xc2\xe2\xec\xee\xfe\xff"
_SERVICES = b"\x50\x51\x52\x53\x5e\x60\x61\x62\x63\x6e\x71\x72\x73\x74\x7a\x7e"

# By EPC: what reads the property where it lies in the frame.
_IN_PLACE = {
    0xD0: meter.minute,
    0xD3: meter.u32,
    0xE0: meter.counter,
    0xE2: history.day,
    0xE3: meter.counter,
    0xE4: history.day,
    0xE7: meter.power,
    0xE8: meter.currents,
    0xEA: meter.fixed_time,
    0xEB: meter.fixed_time,
    0xEC: lambda b, at: list(history.entries(b, at)),
    0xED: history.requested,
    0xEE: lambda b, at: list(history.entries(b, at, history.MINUTE)),
    0xEF: lambda b, at: history.requested(b, at, history.MINUTE),
}


# One good value at least of every property of a meter.
def _models():
    t = 1_767_225_600
    models = [(epc, encode.encode(epc, value)) for epc, _, value in captures.DUMPS]
    models += [(0x83, b"\xfe" + bytes(16)), (0x89, bytes(2)), (0x8B, bytes(3))]
    models += [(0x8E, encode.clock_date(t)), (0x9A, b"\x43" + bytes(4))]
    models.append((0xE2, encode.day_values(3, list(range(48)))))
    models.append((0xE4, encode.DAY_UNSET))
    models.append((0xEC, encode.entries(t, [(k, None) for k in range(12)])))
    models.append((0xEE, encode.entries(t, [(k, k) for k in range(10)], history.MINUTE)))
    return models


MODELS = _models()


def _corpus():
    frames = list(captures.CAPTURED + captures.MADE_UP)
    frames += [captures.N1, captures.N1_FORMAT_TWO, captures.N2, captures.N3, captures.N4]
    frames.append(captures.N5)
    frames += [captures.P2[:12] + bytes([epc, len(edt)]) + edt for epc, edt in MODELS]
    # Every service, to objects that answer.
    buf = bytearray(64)
    props = [(0x81, b"\x61"), (0xE5, b"\x01"), (0xE7, b"")]
    for esv in _SERVICES:
        second = [(0x80, b""), (0xE2, b"")] if esv & 0x0F == 0x0E else None
        for deoj in (meter.METER, meter.CONTROLLER, meter.NODE, 0x028800):
            n = build(buf, 0x0102, meter.CONTROLLER, deoj, esv, props, second)
            frames.append(bytes(buf[:n]))
    return frames


CORPUS = _corpus()


class Random:
    """The same numbers for the same seed on both Pythons."""

    def __init__(self, seed):
        self.x = seed & 0x7FFFFFFF

    def below(self, n):
        self.x = (self.x * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.x >> 8) % n


def mutate(random):
    """A frame of the corpus with one to three faults."""
    data = bytearray(CORPUS[random.below(len(CORPUS))])
    for _ in range(1 + random.below(3)):
        n = len(data)
        at = random.below(n + 1)
        kind = random.below(8)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + bytes([random.below(256)]) + data[at:]
        elif kind == 2:
            data = data[:at] + data[at + 1 :]
        elif kind == 3:
            other = CORPUS[random.below(len(CORPUS))]
            data = data[:at] + other[random.below(len(other)) :]
        elif at < n:
            if kind == 4:
                data[at] ^= 1 << random.below(8)
            elif kind == 5:
                data[at] = random.below(256)
            else:
                data[at] = _ODD[random.below(len(_ODD))]
    return bytes(data)


class Target:
    """Everything that takes what was received. Each check returns True when it was accepted."""

    def __init__(self):
        self.frame = Frame()
        self.answer = Frame()
        self.buf = bytearray(2048)
        self.node = Node(
            profile(b"\xff\xff\xff", bytes(13), [meter.CONTROLLER]),
            controller(b"\xff\xff\xff"),
            Object(meter.METER, {0xE7: bytes(4), 0xE2: bytes(194)}, {0xE5: lambda edt: True}),
        )

    def frame_holds(self, data):
        f = self.frame
        try:
            f.parse(data)
        except FormatTwo:
            assert data[:2] == b"\x10\x82"
            return False
        except EchonetError as error:
            assert " at byte " in str(error)
            assert (f.esv, f.opc, f.opc2, f.get(0xE7)) == (0, 0, 0, None)
            return False
        first = [(f.epc(i), f.edt(i)) for i in range(f.opc)]
        second = [(f.epc2(i), f.edt2(i)) for i in range(f.opc2)]
        both = second if f.esv & 0x0F == 0x0E else None
        n = build(self.buf, f.tid, f.seoj, f.deoj, f.esv, first, both)
        assert self.buf[:n] == data
        for epc, edt in first + second:
            self.value_holds(epc, edt)
        at = f.first
        for epc, edt in first:
            self._same_in_place(epc, edt, at + 2)
            at += 2 + len(edt)
        self._is_handled(data)
        return True

    def value_holds(self, epc, edt):
        try:
            value = values.decode(epc, edt)
        except EchonetError:
            return False
        again = encode.encode(epc, value)
        assert values.decode(epc, again) == value
        return True

    # Reading in the frame tells the same as reading a copy.
    def _same_in_place(self, epc, edt, at):
        read = _IN_PLACE.get(epc)
        if read:
            assert _outcome(read, self.frame.data, at) == _outcome(read, bytes(edt), 0)

    def _is_handled(self, data):
        f = self.frame
        is_answer(f, 1, meter.METER, ESV_GET, b"\xe7")
        if f.opc:
            receipt(self.buf, f)
        plan = Planner(f.epcs() + b"\xe7\xe8")
        plan.next()
        plan.answer(f)
        for n in self.node.answers(f, self.buf):
            reply = self.answer.parse(bytes(self.buf[:n]))
            assert (reply.tid, reply.deoj, reply.opc) == (f.tid, f.seoj, f.opc)


def _outcome(read, b, at):
    try:
        return read(b, at)
    except EchonetError:
        return EchonetError


def fuzz_frames(count, seed=0x0288):
    """Reads `count` mutated frames. -> how many of them were frames."""
    random = Random(seed)
    target = Target()
    good = 0
    for _ in range(count):
        data = mutate(random)
        try:
            good += target.frame_holds(data)
        except Exception:
            print("frame:", data.hex())
            raise
    return good


def fuzz_values(count, seed=0x0288):
    """Reads `count` properties with data of chance. -> how many had a value."""
    random = Random(seed)
    target = Target()
    good = 0
    for _ in range(count):
        epc, edt = MODELS[random.below(len(MODELS))]
        edt = bytearray(edt)
        kind = random.below(16)
        if kind == 0:
            epc = 0x80 + random.below(128)
        elif kind == 1:
            edt = edt[: random.below(len(edt) + 1)]
        elif kind == 2:
            edt += bytes(random.below(3))
        for _ in range(random.below(4)):
            if edt:
                edt[random.below(len(edt))] = random.below(256)
        try:
            good += target.value_holds(epc, edt)
        except Exception:
            print("property: %02X" % epc, bytes(edt).hex())
            raise
    return good

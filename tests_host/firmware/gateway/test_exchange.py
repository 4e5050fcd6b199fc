# One request at a time, matched by more than its TID; what comes late is filed under its own time.
import asyncio

from echonet.frame import ESV_GET
from fakeclock import FakeClock, FakeDriver, Lines, Recorder
from gateway.exchange import Exchange, NoAnswer
from helpers import hex_, raises, run
from wisun import GateClosed, Refused, Timeout

METER = "028801"
US = "05FF01"


class Rig:
    def __init__(self):
        self.clock = FakeClock()
        self.driver = FakeDriver()
        self.status = Recorder()
        self.log = Lines()
        self.notices = []
        self.late = []
        self.air = asyncio.Lock()
        self.tid = None  # what a session remembers
        self.ring = []
        self.x = Exchange(self, self)
        self.x.on_notice = lambda f: self.notices.append((f.esv, f.tid, bytes(f.edt(0))))
        self.x.on_late = lambda f, ms: self.late.append((ms, bytes(f.edt(0))))

    def deliver(self, text, secured=True):
        self.x.datagram(memoryview(hex_(text)), secured)

    def answer(self, esv, rest, tid=None):
        """An answer to the last request sent, unless another TID is given."""
        t = self.driver.sent[-1][2:4].hex() if tid is None else tid
        self.deliver("1081" + t + METER + US + esv + rest)

    def get(self, epcs=b"\xe7", ms=10_000):
        return self.x.get(epcs, ms)


def test_answer_is_returned_and_asked_for_once():
    rig = Rig()
    rig.driver.on_send = lambda d: rig.answer("72", "01E70400000263")
    frame = run(rig.get())
    assert bytes(frame.get(0xE7)) == hex_("00000263")
    assert len(rig.driver.sent) == 1
    assert rig.driver.sent[0][4:] == hex_(US + METER + "6201E700")
    assert rig.x.asked_ms == 5_000


def test_every_try_has_a_new_tid():
    rig = Rig()

    async def go():
        for _ in range(3):
            try:
                await rig.get()
            except NoAnswer as e:
                assert e.why == "silent"

    run(go())
    tids = [s[2:4] for s in rig.driver.sent]
    assert len(set(tids)) == 3


def test_a_try_ends_at_its_time():
    rig = Rig()

    async def go():
        try:
            await rig.get(ms=8_000)
        except NoAnswer:
            return rig.clock.ms()

    assert run(go()) == 13_000


def test_notification_with_our_tid_is_not_the_answer():
    rig = Rig()

    def on_send(d):
        rig.answer("73", "01EA0B07E70C13001E000000458E")
        rig.answer("72", "01E704000003A1")

    rig.driver.on_send = on_send
    frame = run(rig.get())
    assert frame.esv == 0x72
    assert len(rig.notices) == 1


def not_taken(rest, tid, src):
    rig = Rig()

    def on_send(d):
        t = d[2:4].hex() if tid is None else "%04x" % (int.from_bytes(d[2:4], "big") ^ 0x5555)
        rig.deliver("1081" + t + src + US + "72" + rest)

    rig.driver.on_send = on_send
    assert raises(NoAnswer, run, rig.get()).why == "silent"
    assert rig.status.counters["frame.stray"] == 1


def test_other_epc_other_tid_other_object_are_not_the_answer():
    not_taken("01E80400460028", None, METER)
    not_taken("01E704000003A1", "another", METER)
    not_taken("01E704000003A1", None, "028802")


def test_late_answer_is_filed_under_the_time_it_was_asked():
    rig = Rig()

    async def go():
        asked = rig.clock.ms()
        try:
            await rig.get()
        except NoAnswer:
            pass
        rig.clock.t += 120_000
        rig.answer("72", "01E70400000263")
        return asked

    asked = run(go())
    assert rig.late == [(asked, hex_("00000263"))]
    # and only once: a duplicate is a stray
    rig.answer("72", "01E70400000263")
    assert len(rig.late) == 1
    assert rig.status.counters["frame.stray"] == 1


def test_answer_after_five_minutes_is_a_stray():
    rig = Rig()

    async def go():
        try:
            await rig.get()
        except NoAnswer:
            pass
        rig.clock.t += 291_000
        rig.answer("72", "01E70400000263")

    run(go())
    assert rig.late == []


def test_unsent_may_still_be_answered_late():
    rig = Rig()
    rig.driver.results = [1]

    async def go():
        try:
            await rig.get()
        except NoAnswer as e:
            assert e.why == "unsent"
        rig.answer("72", "01E70400000263")

    run(go())
    assert len(rig.late) == 1


def test_answer_before_the_module_said_sent():
    rig = Rig()
    rig.driver.results = [1]  # the acknowledgement was lost, the answer was not
    rig.driver.on_send = lambda d: rig.answer("72", "01E70400000263")
    assert run(rig.get()).esv == 0x72


def test_closed_gate_sends_nothing_when_it_stays_closed():
    rig = Rig()
    rig.driver.gate = "limited"

    async def closed(ms):
        raise GateClosed("limited")

    rig.driver.open_gate = closed
    try:
        run(rig.get())
        raise AssertionError("sent through a closed gate")
    except NoAnswer as e:
        assert e.why == "gate"
    assert rig.driver.sent == []


def test_plain_text_is_not_from_our_meter():
    rig = Rig()
    rig.driver.on_send = lambda d: rig.deliver(
        "1081" + d[2:4].hex() + METER + US + "7201E70400000263", secured=False
    )
    raises(NoAnswer, run, rig.get())
    assert rig.status.counters["frame.plain"] == 1


def test_partial_sna_is_an_answer():
    rig = Rig()
    rig.driver.on_send = lambda d: rig.answer("52", "02E0040000FE73EB00")
    frame = run(rig.x.get(b"\xe0\xeb", 10_000))
    assert bytes(frame.get(0xE0)) == hex_("0000FE73")
    assert len(frame.get(0xEB)) == 0


def test_infc_is_confirmed_with_its_own_tid():
    rig = Rig()
    woken = []
    rig.x.on_reply = lambda: woken.append(1)
    both = "02EA0B07E50112120000000045 8EEB0B07E5011212000000000015"
    rig.deliver("10812EDB" + METER + US + "74" + both)
    assert woken and len(rig.notices) == 1
    run(rig.x.flush())
    assert rig.driver.sent == [hex_("10812EDB" + US + METER + "7A02EA00EB00")]
    run(rig.x.flush())
    assert len(rig.driver.sent) == 1


def test_garbage_is_counted_and_survived():
    rig = Rig()
    for junk in ("", "1081FFFF", "1181000102880105FF017200", "1082000112345678"):
        rig.deliver(junk)
    assert rig.status.counters["frame.bad"] == 3  # format 2 is not an error
    rig.driver.on_send = lambda d: rig.answer("72", "01E70400000263")
    assert run(rig.x.request(ESV_GET, [(0xE7, b"")], 10_000)).esv == 0x72


def test_long_answer_is_kept_whole():
    rig = Rig()
    day = "0001" + "0000C351" * 48
    rig.driver.on_send = lambda d: rig.answer("72", "02E2C2" + day + "E4C2" + day)
    frame = run(rig.x.get(b"\xe2\xe4", 60_000))
    assert bytes(frame.get(0xE4)) == hex_(day)


def driver(rig, before, after, ends):
    """Its module is written to after a time, and the sending ends `after` that as `ends` says."""

    async def send(data):
        rig.clock.t += before
        rig.driver.sent_ms = rig.clock.t
        rig.driver.sent.append(bytes(data))
        rig.clock.t += after
        return ends()

    rig.driver.send = send


# The reading's time is that of the asking, not of the wish to ask, nor of a report's arrival.
def test_the_time_of_a_request_is_when_it_was_written():
    for before, after in ((7_000, 0), (0, 8_000), (4_000, 3_000)):
        rig = Rig()
        begun = rig.clock.ms()

        def answered(rig=rig):
            rig.answer("72", "01E70400000263")
            return 2

        driver(rig, before, after, answered)
        assert bytes(run(rig.get()).get(0xE7)) == hex_("00000263")
        assert rig.x.asked_ms == begun + before


def test_a_try_lasts_from_when_it_was_written():
    rig = Rig()
    driver(rig, 4_000, 3_000, lambda: 0)

    async def go():
        begun = rig.clock.ms()
        try:
            await rig.get(ms=10_000)
        except NoAnswer as e:
            assert e.why == "silent"
        return begun

    begun = run(go())
    assert rig.clock.ms() == begun + 14_000
    assert [late[3] for late in rig.ring] == [begun + 4_000]


def lost_reply():
    raise Timeout("0008")


# The module's reply to noise before the command, which it took.
def reply_to_noise():
    raise Refused("SKSENDTO", "ER04")


# The module may have sent what it did not confirm: then its answer comes, and is one.
def test_an_unconfirmed_request_may_be_answered():
    for ends in (lost_reply, reply_to_noise):
        unconfirmed_and_answered(ends)


def unconfirmed_and_answered(ends):
    rig = Rig()
    driver(rig, 0, 2_000, ends)

    async def later():
        await asyncio.sleep(0)
        rig.answer("72", "01E70400000263")

    async def go():
        begun = rig.clock.ms()
        asyncio.create_task(later())
        frame = await rig.get()
        assert bytes(frame.get(0xE7)) == hex_("00000263")
        assert rig.x.asked_ms == begun

    run(go())


def test_an_unconfirmed_request_is_open_until_its_time_is_over():
    for ends, command in ((lost_reply, "0008"), (reply_to_noise, "SKSENDTO")):
        rig = Rig()
        driver(rig, 0, 2_000, ends)
        begun = rig.clock.ms()
        assert run(failed(rig)).command == command
        assert rig.clock.ms() == begun + 10_000
        assert [late[3] for late in rig.ring] == [begun], "its answer may come yet"


def test_a_request_that_the_module_refused_to_send_is_over_at_once():
    for command, code in (("SKSENDTO", "ER05"), ("SKSENDTO", "ER10"), ("0008", "3D")):

        def refused(command=command, code=code):
            raise Refused(command, code)

        rig = Rig()
        driver(rig, 0, 2_000, refused)
        begun = rig.clock.ms()
        assert run(failed(rig)).code == code
        assert rig.clock.ms() == begun + 2_000


async def failed(rig):
    try:
        await rig.get(ms=10_000)
    except (Timeout, Refused) as e:
        return e
    raise AssertionError("it was answered")

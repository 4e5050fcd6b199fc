"""Finding out what module there is, handing over the credentials, finding the meter."""

import sys

from fakemodule import Module
from fakeradio import METER, OWN, PASSWORD, RBID, Clock, Rig, caught
from helpers import raises, run
from wisun import Pan, RadioError, Refused, Timeout
from wisun.skstack import SkStack

PAN = Pan(0x39, 0x8CF5, b"\x00\x1c\x64\x00\x03\x6e\x8c\xf5", -42, "CCDDEEFF")


def rig(**options):
    return Rig(SkStack, Module(Clock(), **options))


# Every edition, with and without echo, with each form of data, in one piece and byte by byte.
def test_every_kind_of_module():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        option = module.option
        info = await driver.probe()
        assert info.protocol == "skstack"
        assert info.edition == ("dual" if module.dual else "single")
        assert info.hex_data == (option != b"00")
        await driver.configure(RBID, PASSWORD)
        assert driver.info.hex_data
        assert module.lines.count(b"WOPT 01") == (option == b"00")
        assert module.echo is False
        assert await driver.find() == PAN
        await driver.join(PAN)
        module.answers.append(b"\x10\x81\r\n\x00")
        assert await driver.send(b"\x10\x81 OK\r\n\xff") == 0
        await rig.clock.sleep_ms(1)
        assert module.payloads == [b"\x10\x81 OK\r\n\xff"]
        rssi = -42 if module.dual else None
        assert rig.datagrams == [(b"\x10\x81\r\n\x00", PAN.mac, True, rssi)]
        await driver.leave()
        assert rig.named("garbage") == [] and rig.named("reboot") == []

    for dual in (False, True):
        for echo in (False, True):
            for option in (None, b"00", b"01"):
                for chunk in (1, 4096):
                    run(rig(dual=dual, echo=echo, option=option, chunk=chunk).play(scene))


# Not every module may be written to: its flash wears, and raw data is understood as well.
def test_data_form_is_written_only_when_it_is_raw():
    async def scene(rig):
        await rig.driver.probe()
        rig.wire.replies[b"WOPT"] = b"FAIL ER10\r\n"
        await rig.driver.configure(RBID, PASSWORD)
        assert not rig.driver.info.hex_data
        await rig.driver.join(PAN)
        rig.wire.answers.append(b"\x10\x81\r\nOK\r\n")
        assert await rig.driver.send(b"?") == 0
        await rig.clock.sleep_ms(1)
        assert rig.datagrams[0][0] == b"\x10\x81\r\nOK\r\n"

    run(rig().play(scene))


def test_commands_of_a_session_in_order():
    async def scene(rig):
        await rig.driver.configure(RBID.lower(), "0123456789ab")
        await rig.driver.join(await rig.driver.find((6,)))
        assert rig.wire.lines == [
            b"SKVER",
            b"SKSREG SFE 0",
            b"SKINFO",
            b"SKAPPVER",
            b"ROPT",
            b"SKSETPWD C 0123456789AB",
            b"SKSETRBID 00112233445566778899AABBCCDDEEFF",
            b"SKSCAN 2 FFFFFFFF 6",
            b"SKSREG S2 39",
            b"SKSREG S3 8CF5",
            b"SKLL64 001C6400036E8CF5",
            b"SKJOIN " + METER,
        ]

    run(rig(option=b"01").play(scene))


# SA2 is the transmit power in other editions: only the dual stack is asked, and set if it says 0.
def test_rssi_with_datagrams_is_asked_of_the_dual_stack_only():
    async def scene(rig):
        await rig.driver.configure(RBID, PASSWORD)

    for dual, version, before, expected in (
        (False, None, b"0", []),
        (True, None, b"0", [b"SKSREG SA2", b"SKSREG SA2 1"]),
        (True, None, b"1", [b"SKSREG SA2"]),
        (True, None, b"0A", [b"SKSREG SA2"]),
        (True, b"EVER 1.2.10\r\nOK\r\n", b"0", []),
    ):
        played = rig(dual=dual)
        played.wire.registers[b"SA2"] = before
        if version:
            played.wire.replies[b"SKVER"] = version
        run(played.play(scene))
        lines = played.wire.lines
        assert [line for line in lines if line.startswith(b"SKSREG SA2")] == expected


def test_wrong_credentials_are_refused_and_not_repeated():
    async def scene(rig):
        for rbid, password in (
            (RBID[:-1], PASSWORD),
            (RBID + "0", PASSWORD),
            (RBID[:-1] + "\n", PASSWORD),
            (RBID[:-1] + " ", PASSWORD),
            (RBID[:-1] + "\u3042", PASSWORD),
            (RBID, ""),
            (RBID, "SECRET\rSKRESET"),
            (RBID, "S" * 33),
        ):
            error = await caught(ValueError, rig.driver.configure(rbid, password))
            assert "0011" not in str(error) and "SECRET" not in str(error), error
        assert rig.wire.lines == []

    run(rig().play(scene))


def test_credentials_are_nowhere_but_in_the_module():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        module.echo = True  # as after a restart that was not seen
        for word in (b"SKSETPWD", b"SKSETRBID"):
            for reply in (b"FAIL ER06\r\n", None):
                module.replies = {word: reply}
                error = await caught(RadioError, driver.configure(RBID, PASSWORD))
                assert error.command == word.decode()
                told.append(str(error))
        told.extend(rig.log.lines)
        told.append(repr(rig.events))
        told.append(repr(driver.counters))
        told.append(repr(bytes(driver._parser._buf)))

    told = []
    run(rig().play(scene))
    for text in told:
        assert PASSWORD not in text and RBID[:24] not in text, text


# A FAIL of any command is Refused with that command's word, and the next command works.
def test_fail_of_each_command():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        for word, action in (
            ("SKVER", lambda: driver.probe()),
            ("SKINFO", lambda: driver.probe()),
            ("SKSETPWD", lambda: driver.configure(RBID, PASSWORD)),
            ("SKSETRBID", lambda: driver.configure(RBID, PASSWORD)),
            ("SKSCAN", lambda: driver.scan()),
            ("SKSREG", lambda: driver.join(PAN)),
            ("SKLL64", lambda: driver.join(PAN)),
            ("SKJOIN", lambda: driver.join(PAN)),
            ("SKTERM", lambda: driver.leave()),
            ("SKRESET", lambda: driver.reset()),
        ):
            for code in (b"ER04", b"ER05", b"ER06", b"ER09", b"ER10"):
                if (word, code) == ("SKTERM", b"ER10"):
                    continue  # no session: that is what was wanted
                module.replies = {word.encode(): b"FAIL " + code + b"\r\n"}
                kind = Timeout if word == "SKVER" else Refused  # SKVER: not taken for an answer
                error = await caught(kind, action())
                assert error.command == word
                assert kind is Timeout or error.code == code.decode()
                module.replies = {}
                assert (await driver.probe()).firmware == "1.2.10"

    run(rig(option=b"01").play(scene))


# Modules differ in what they know: without these commands they work as well.
def test_fail_of_what_a_module_may_lack():
    async def scene(rig):
        for word in (b"SKSREG SFE 0", b"SKAPPVER", b"ROPT", b"SKSREG SA2"):
            rig.wire.replies = {word: b"FAIL ER04\r\n"}
            await rig.driver.probe()
            await rig.driver.configure(RBID, PASSWORD)
            assert rig.driver.info.app == (None if word == b"SKAPPVER" else "rev26e")
        assert rig.named("reboot") == []

    run(rig(dual=True, option=b"01").play(scene))


def test_scan_tells_whole_pans_only():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        mac = b"001C6400036E8CF5"
        module.pans = [
            (b"21", b"1234", mac, b"2D", b"CCDDEEFF"),
            (b"21", b"123", mac, b"2D", b"CCDDEEFF"),
            (b"2", b"1234", mac, b"2D", b"CCDDEEFF"),
            (b"21", b"1234", b"", b"2D", b"CCDDEEFF"),
            (b"", b"1234", mac, b"2D", b"CCDDEEFF"),
            (b"XY", b"1234", mac, b"2D", b"CCDDEEFF"),
            (b"93", b"1234", mac, b"2D", b"CCDDEEFF"),  # one flipped bit: no such channel
            (b"20", b"1234", mac, b"2D", b"CCDDEEFF"),
            (b"3D", b"1234", mac, b"2D", b"CCDDEEFF"),
            (b"21", b"1234", mac, b"2", b"CCDDEEFF"),
            (b"21", b"1234", mac, b"2D", b"CCDDEE"),
        ]
        pans = await driver.scan()
        assert pans == [Pan(0x21, 0x1234, PAN.mac, -92, "CCDDEEFF")]
        assert driver.counters["partial"] == 10
        assert len(rig.named("beacon")) == 11
        assert driver.rssi == -92
        module.pans = module.pans[:1]
        pans = await driver.scan(6, 0xFFFFFFFF, False)
        assert pans == [Pan(0x21, 0x1234, PAN.mac, -92, None)]
        assert module.lines[-1] == b"SKSCAN 3 FFFFFFFF 6"

    run(rig().play(scene))


def test_find_takes_the_strongest_of_its_own():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        own, other = b"CCDDEEFF", b"00000000"
        module.pans = [
            (b"21", b"0001", b"0000000000000001", b"40", own),
            (b"23", b"0002", b"0000000000000002", b"F0", other),
            (b"25", b"0003", b"0000000000000003", b"50", own),
            (b"27", b"0004", b"0000000000000004", b"4F", own),
        ]
        assert (await driver.find()).pan_id == 3
        module.pans = module.pans[1:2]
        module.lines = []
        assert await driver.find((4, 6)) is None
        assert module.lines == [b"SKSCAN 2 FFFFFFFF 4", b"SKSCAN 2 FFFFFFFF 6"]

    run(rig(option=b"01").play(scene))


def test_what_cannot_be_scanned():
    async def scene(rig):
        for duration, mask in ((-1, 1), (15, 1), (6, 0), (6, 0xF0000000)):
            await caught(ValueError, rig.driver.scan(duration, mask))

    run(rig().play(scene))
    assert raises(TypeError, SkStack)


# The time limit follows from what is scanned: long enough, and no longer than it must be.
def test_a_scan_that_does_not_end():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.replies[b"SKSCAN"] = b"OK\r\n"
        for duration, mask, least, most in (
            (6, 0xFFFFFFFF, 18000 * 2, 60000),
            (4, 0xFFFFFFFF, 5300 * 2, 20000),
            (6, 1, 1000, 8000),
        ):
            start = rig.clock.ms()
            error = await caught(Timeout, driver.scan(duration, mask))
            assert error.command == "SKSCAN"
            assert least <= rig.clock.ms() - start <= most
        module.replies = {}
        assert await driver.scan() == [PAN]

    run(rig().play(scene))


# Reported of the RL7023: the OK after SKSCAN may be missing.
def test_a_scan_without_ok():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        found = module.beacon(module.pans[0], True)
        module.replies[b"SKSCAN"] = (9000, found, 1000, module.event(b"22", address=OWN))
        assert await driver.scan() == [PAN]
        module.replies = {}
        assert await driver.scan() == [PAN]

    run(rig().play(scene))


# ER05 says that the edition is the other one. It is believed once, so that it ends.
def test_the_edition_is_corrected_once():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        module.dual = not module.dual
        assert await driver.scan() == [PAN]
        assert driver.counters["flip"] == 1
        module.dual = not module.dual
        error = await caught(Refused, driver.scan())
        assert (error.command, error.code) == ("SKSCAN", "ER05")
        await driver.probe()
        assert await driver.scan() == [PAN]

    for dual in (False, True):
        run(rig(dual=dual).play(scene))


def test_an_unfit_sk_info():
    async def scene(rig):
        rig.wire.replies[b"SKINFO"] = b"EINFO FE80:00\r\nOK\r\n"
        assert "SKINFO" in str(await caught(RadioError, rig.driver.probe()))

    run(rig().play(scene))


def test_set_up_is_not_kept_in_memory():
    async def scene(rig):
        await rig.driver.configure(RBID, PASSWORD)
        await rig.driver.find()

    run(rig().play(scene))
    assert "wisun.sk_setup" not in sys.modules
    assert not hasattr(sys.modules["wisun"], "sk_setup")

"""The non-volatile storage: values, limits, and what a power cut leaves of it."""

from __future__ import annotations

import pytest

from meterlab.board import nvs as module
from meterlab.board.nvs import Nvs, NvsError

OPEN = "import esp32\nn = esp32.NVS('kenshin')\n"


def error_of(code):
    return pytest.raises(AssertionError, match=code)


def test_values_are_there_at_once_and_after_a_restart(board, connect):
    raw = connect(board)
    raw.raw()
    raw.run(OPEN + "n.set_i32('count', -7)\nn.set_blob('conf', b'\\x00\\xffsecret')\nn.commit()")
    read = "b = bytearray(20)\nprint(n.get_i32('count'), n.get_blob('conf', b), bytes(b[:8]))"
    assert raw.run(read) == "-7 8 b'\\x00\\xffsecret'\n"
    assert raw.run(OPEN + read) == "-7 8 b'\\x00\\xffsecret'\n"
    board.power_cycle()
    raw.raw()
    assert raw.run(OPEN + read) == "-7 8 b'\\x00\\xffsecret'\n"
    assert board.nvs("kenshin", "count") == -7


def test_uncommitted_is_lost_at_a_power_cut_only(board, connect):
    raw = connect(board)
    raw.raw()
    raw.run(OPEN + "n.set_i32('a', 1); n.commit(); n.set_i32('a', 2); n.set_i32('b', 3)")
    raw.send(b"\x04")
    raw.expect(b"soft reboot\r\nraw REPL; CTRL-B to exit\r\n>")
    assert raw.run(OPEN + "print(n.get_i32('a'), n.get_i32('b'))") == "2 3\n"
    board.power_cycle()
    raw.raw()
    assert raw.run(OPEN + "print(n.get_i32('a'))") == "1\n"
    with error_of("ESP_ERR_NVS_NOT_FOUND"):
        raw.run("n.get_i32('b')")


def test_it_survives_a_formatted_file_system(make_board, connect, tmp_path):
    image = tmp_path / "flash"
    board = make_board(flash=image)
    raw = connect(board)
    raw.raw()
    raw.run(OPEN + "n.set_blob('id', b'kept'); n.commit()")
    board.power_cut()
    image.write_bytes(b"\xff" * len(image.read_bytes()))
    board.power_on()
    raw.raw()
    assert (
        raw.run(OPEN + "b = bytearray(4); n.get_blob('id', b); print(b)") == "bytearray(b'kept')\n"
    )


def test_errors_are_those_of_the_idf(raw):
    raw.run(OPEN + "n.set_blob('blob', b'12345'); b = bytearray(4)")
    for call, code in {
        "n.get_i32('none')": "-4354, 'ESP_ERR_NVS_NOT_FOUND'",
        "n.erase_key('none')": "-4354, 'ESP_ERR_NVS_NOT_FOUND'",
        "n.get_i32('blob')": "ESP_ERR_NVS_TYPE_MISMATCH",
        "n.get_blob('blob', b)": "ESP_ERR_NVS_INVALID_LENGTH",
        "n.set_i32('a-key-too-long-x', 1)": "ESP_ERR_NVS_KEY_TOO_LONG",
        "n.set_blob('big', bytes(20000))": "ESP_ERR_NVS_VALUE_TOO_LONG",
        "esp32.NVS('a-name-too-long-x')": "ESP_ERR_NVS_INVALID_NAME",
    }.items():
        with error_of(code):
            raw.run(call)


def test_erased_keys_and_namespaces_apart(raw):
    raw.run(
        OPEN + "m = esp32.NVS('other'); n.set_i32('k', 1); m.set_i32('k', 2); n.erase_key('k')"
    )
    assert raw.eval("m.get_i32('k')") == 2
    with error_of("NOT_FOUND"):
        raw.run("n.get_i32('k')")


def test_power_goes_in_a_commit(board, connect):
    raw = connect(board)
    raw.raw()
    raw.run(OPEN + "n.set_i32('a', 1); n.commit(); n.set_i32('a', 2)")
    mark = board.events.mark()
    board.power_cut_at(1)
    raw.start("n.commit(); print('never')")
    board.events.wait("off", 60, mark)
    board.power_on()
    raw.raw()
    assert raw.run(OPEN + "print(n.get_i32('a'))") == "1\n"
    assert b"\r\nnever" not in raw.seen


def test_capacity(tmp_path):
    nvs = Nvs(tmp_path / "nvs", 6 * module.PAGE)
    for i in range(7):
        nvs.set("s", f"k{i}", bytes(2500))
    with pytest.raises(NvsError) as caught:
        nvs.set("s", "k8", bytes(2500))
    assert caught.value.code == module.NOT_ENOUGH_SPACE
    nvs.erase("s", "k0")
    nvs.set("s", "k8", bytes(2000))
    assert nvs.used() <= nvs.capacity


def test_replacing_needs_room_for_both(tmp_path):
    nvs = Nvs(tmp_path / "nvs", 3 * module.PAGE)
    nvs.set("s", "k", bytes(6000))
    with pytest.raises(NvsError):
        nvs.set("s", "k", bytes(5000))
    assert nvs.get("s", "k", bytes) == bytes(6000)


def test_file_round_trip(tmp_path):
    nvs = Nvs(tmp_path / "nvs")
    nvs.set("s", "text", b"\x00\xff")
    nvs.set("s", "number", 5)
    nvs.commit()
    nvs.set("s", "number", 6)
    again = Nvs(tmp_path / "nvs")
    assert again.get("s", "text", bytes) == b"\x00\xff"
    assert again.get("s", "number", int) == 5
    nvs.power_cut()
    assert nvs.get("s", "number", int) == 5

# The `esp32` module: NVS and what the firmware asks about the IDF's heap.
import struct

import vb_chip as chip
import vb_regs as r

HEAP_DATA = 4
HEAP_EXEC = 1
WAKEUP_ALL_LOW = False
WAKEUP_ANY_HIGH = True

_NAME_MAX = 15
_ERRORS = {
    0x1102: "ESP_ERR_NVS_NOT_FOUND",
    0x1103: "ESP_ERR_NVS_TYPE_MISMATCH",
    0x1105: "ESP_ERR_NVS_NOT_ENOUGH_SPACE",
    0x1106: "ESP_ERR_NVS_INVALID_NAME",
    0x1109: "ESP_ERR_NVS_KEY_TOO_LONG",
    0x110C: "ESP_ERR_NVS_INVALID_LENGTH",
    0x110E: "ESP_ERR_NVS_VALUE_TOO_LONG",
}


def _fail(code):
    raise OSError(-code, _ERRORS[code])


# A namespace in the non-volatile storage. What was set is there at once, and safe from a power
# cut after commit().
class NVS:
    def __init__(self, namespace):
        if not 0 < len(namespace) <= _NAME_MAX:
            _fail(0x1106)
        self._space = namespace

    # `found` is what the call gives to a reader of the answer.
    def _ask(self, verb, key, *value):
        if not 0 < len(key) <= _NAME_MAX:
            _fail(0x1109)
        status, n = chip.request("V", verb, self._space, key, *value)
        if status:
            _fail(status)
        return n

    def set_i32(self, key, value):
        self._ask("set_i32", key, struct.pack("<i", value))

    def get_i32(self, key):
        self._ask("get_i32", key)
        return struct.unpack_from("<i", chip.reply, 8)[0]

    def set_blob(self, key, value):
        self._ask("set_blob", key, value)

    # Into the buffer, which must be large enough. -> length
    def get_blob(self, key, buf):
        n = self._ask("get_blob", key)
        if n > len(buf):
            _fail(0x110C)
        memoryview(buf)[:n] = memoryview(chip.reply)[8 : 8 + n]
        return n

    def erase_key(self, key):
        self._ask("erase", key)

    def commit(self):
        self._ask("commit", "-")

    def __repr__(self):
        return "<NVS namespace>"


# [(total, free, largest free block, least free so far)] of each region.
def idf_heap_info(capabilities):
    return [
        (chip.R[r.IDF_TOTAL], chip.R[r.IDF_FREE], chip.R[r.IDF_LARGEST], chip.R[r.IDF_MINIMUM])
    ]


def raw_temperature():
    return 128


def mcu_temperature():
    return 40

"""The registers of the virtual chip: 4 KiB of memory that the PC and the board's process share.

The same file is read by CPython and, compiled, by MicroPython: plain numbers only. The first 256
words are signed 32-bit integers; each word is written by one side only, named after it. The rest
is bytes.
"""

SIZE = 4096
WORDS = 256

READY = 1  # board: 1 once interrupts can be taken
KBD_CHAR = 2  # board: 3 while Ctrl-C interrupts, -1 while it is data
KBD_SEQ = 3  # PC: counts the Ctrl-Cs
KBD_SIGINT = 4  # board: 1 when Ctrl-C has to come as SIGINT
PIN_SEQ = 5  # PC: counts the changes of input pins
NET_SEQ = 6  # PC: counts the changes of NET_ALIVE
UART_SEQ = 7  # PC: counts the UARTs that were plugged in
RESET_CAUSE = 8  # PC
BOOT_RAW = 9  # PC: 1 after a soft reset from the raw REPL: no main.py
WDT_MS = 10  # board: the watchdog's timeout, 0 while it is off
WDT_FED = 11  # board: ticks_ms of the last feed, 30 bits
RTC_SECONDS = 12  # board: what to add to the monotonic clock for seconds since 2000
RTC_MICROSECONDS = 13  # board
WAKE_REASON = 14  # PC
ONLINE = 15  # PC: 1 when packets may leave this PC

PIN_COUNT = 24  # PC
INPUT_ONLY = 25  # PC: the first pin that cannot be an output

FLASH_FUSE = 16  # PC sets, both count down: the flash operation at which the power goes, 0 = none
FLASH_TORN = 17  # PC: bytes of that operation which still reach the flash
FLASH_PROGRAMS = 18  # board: operations since power on
FLASH_ERASES = 19  # board
FLASH_BYTES = 20  # board: bytes programmed
UART_LOST = 21  # board: bytes that found the receive buffer full

NET_ALIVE = 32  # PC: 1 when packets arrive anywhere
WLAN_ACTIVE = 33  # PC
WLAN_STATUS = 34  # PC: what status() answers
WLAN_CONNECTED = 35  # PC: associated and has an address
WLAN_RSSI = 36  # PC: dBm
WLAN_CHANNEL = 37  # PC
WLAN_BUSY = 38  # PC: 1 while the driver would refuse a connect()
WLAN_LINKED = 39  # PC: associated
LAN_ACTIVE = 40  # PC
LAN_STATUS = 41  # PC
LAN_CONNECTED = 42  # PC

IDF_TOTAL = 48  # PC: what esp32.idf_heap_info() answers
IDF_FREE = 49  # PC
IDF_LARGEST = 50  # PC
IDF_MINIMUM = 51  # PC

HEAP_FREE = 56  # board: bytes of heap that the firmware found free
HEAP_USED = 57  # board: bytes of heap that stand-ins and REPL hold

# Bytes.
RTC_LENGTH_WORD = 60  # board: bytes in use of RTC_MEMORY
WLAN_ADDRESS = 1040  # PC: address, mask, gateway, DNS, 4 bytes each
LAN_ADDRESS = 1056  # PC
UNIQUE_ID = 1072  # PC: 6 bytes
PINS = 1088  # PC: a byte for each of 64 pins: 0 low, 1 high, 2 not driven from outside
RISES = 1152  # PC: counts the rising edges of each of 64 pins
FALLS = 1216  # PC
RTC_MEMORY = 1280  # board: 2048 bytes
RTC_MEMORY_SIZE = 2048

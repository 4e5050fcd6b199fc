# The frozen `ntptime` of a board: one query, one second, the RTC is set; no checks.
import socket
import struct
from time import gmtime

import machine

host = "pool.ntp.org"
timeout = 1
_FROM_1900_TO_2000 = 3155673600


def time():
    query = bytearray(48)
    query[0] = 0x1B
    address = socket.getaddrinfo(host, 123)[0][-1]
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.settimeout(timeout)
        s.sendto(query, address)
        answer = s.recv(48)
    finally:
        s.close()
    seconds = struct.unpack("!I", answer[40:44])[0]
    if seconds < _FROM_1900_TO_2000:
        seconds += 1 << 32
    return seconds - _FROM_1900_TO_2000


def settime():
    t = gmtime(time())
    machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))

# One question to a time server: SNTP (RFC 4330, the client's part of RFC 5905), without blocking.
# Imported when the time is asked for, and dropped: that is a few times a day.
import socket
import struct
from errno import EAGAIN
from os import urandom

from gateway import drop
from gateway.clock import EARLIEST, LATEST
from gateway.network import known
from micropython import const

_PORT = const(123)
_UNIX = const(2208988800)  # 1970 in seconds since 1900
_STEP_MS = const(10)


class NtpError(Exception):
    """No time from a time server: the text says why."""


async def run(keeper):
    """Ask the server of `keeper`, a TimeKeeper. -> True when its clock believed what was told."""
    clock = keeper.clock
    host = keeper.settings["time.ntp"]
    from gateway import names

    try:
        address = await names.resolve(keeper.network.net, host, clock)
        del names
        drop("names")
        utc, at = await query(address, clock)
    except OSError as e:
        # Not yet the network's word: the server may be reached all the same, by its address.
        keeper.log.warn("time: %s", e)
        return False
    except NtpError as e:
        if host in known:
            known[host] = (known[host][0], 0)  # another of its servers may do better
        keeper.log.warn("time: %s", e)
        return False
    before = clock.utc_at(at)
    if not clock.set(utc, "ntp", at):
        if clock.doubt is not None:
            what = "time: %s is %d s off all others, so it has to be confirmed"
            keeper.log.warn(what, host, utc - before)
        return False
    if before != utc:
        what = "set" if before is None else "corrected by %d s" % (utc - before)
        keeper.log.info("time: %s from %s", what, host)
    return True


async def query(host, clock, timeout_ms=3000, port=_PORT):
    """Ask host, an address -> (UTC seconds, ms): it was that when clock.ms() was ms.

    NtpError: no answer in time, or one that a client must not believe.
    """
    where = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0][-1]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(where)  # so nobody else is heard, and nobody's being there is
        cookie = urandom(8)
        # Version 4, client. The transmit time is ours to choose; it comes back as the originate's.
        sock.send(b"\x23" + bytes(39) + cookie)
        asked = clock.ms()
        while clock.ms() - asked < timeout_ms:
            try:
                packet = sock.recv(64)
            except OSError as e:
                if e.errno != EAGAIN:
                    raise
                await clock.sleep_ms(_STEP_MS)
                continue
            heard = clock.ms()
            if len(packet) >= 48 and packet[24:32] == cookie:
                return _read(host, packet, asked, heard)
            # anything else is not an answer to us
        raise NtpError("%s: no answer in %d ms" % (host, timeout_ms))
    except OSError as e:
        raise NtpError("%s: %s" % (host, e))
    finally:
        sock.close()


def _read(host, packet, asked, heard):
    mode = packet[0] & 7
    stratum = packet[1]
    if mode != 4:
        raise NtpError("%s: mode %d is not a server's" % (host, mode))
    if stratum == 0:
        code = "".join([chr(c) if 32 < c < 127 else "?" for c in packet[12:16]])
        raise NtpError("%s: refuses to serve (%s)" % (host, code))
    if stratum > 15 or packet[0] >> 6 == 3:
        raise NtpError("%s: is not synchronised itself" % host)
    received, r_fraction, sent, s_fraction = struct.unpack(">IIII", packet[32:48])
    utc = sent - _UNIX
    if sent < 0x8000_0000:  # era 1 begins in 2036
        utc += 0x1_0000_0000
    if not sent or not EARLIEST <= utc < LATEST:
        raise NtpError("%s: tells an impossible time" % host)
    # Of the time since we asked, half of what the server did not spend has passed since it sent.
    s_ms = s_fraction * 1000 >> 32
    took = ((sent - received) & 0xFFFF_FFFF) * 1000 + s_ms - (r_fraction * 1000 >> 32)
    way = heard - asked - (took if 0 <= took <= heard - asked else 0)
    return utc, heard - way // 2 - s_ms

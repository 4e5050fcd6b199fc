# Names to IPv4 addresses: our own question to the name server (RFC 1035), because the built-in
# resolver stops everything for up to 14 s when nobody answers. A name that ends in .local is asked
# of the house's machines themselves (RFC 6762, the one-shot query of 5.1).
# Loaded for what asks a server, and dropped; what is known stays in gateway.network.
import socket
import struct
from errno import EAGAIN
from random import getrandbits

from gateway.network import known
from micropython import const

_KEEP_MIN = const(60)  # s an address is kept, whatever its owner says
_KEEP_MAX = const(3600)
_ASK_MS = const(3_000)
_AGAIN_MS = const(1_000)  # a datagram may get lost: so often it is sent anew
_STEP_MS = const(10)
_HOPS = const(8)
_SIZE = const(512)


async def resolve(net, host, clock):
    """The address of `host` as dotted text; `net`: the link, which knows the name server.

    Takes 3 s at most, and as long again for each alias that leads elsewhere (two at most).
    OSError, with the reason in words, when it has none. An old address is better than none.
    """
    if host.replace(".", "").isdigit():
        return host
    old = known.get(host)
    if old and clock.ms() < old[1]:
        return old[0]
    try:
        server = net.address()[3]
        if host[-6:] == ".local":
            server = "224.0.0.251"
        elif server == "0.0.0.0":
            raise OSError("%s: the router names no name server; set net.dns" % host)
        name = host.encode().lower()
        keep = _KEEP_MAX
        for _ in range(3):
            address, seconds, name = await ask(server, name, clock)
            keep = min(keep, seconds)
            if address:
                known[host] = (address, clock.ms() + max(keep, _KEEP_MIN) * 1000)
                return address
        raise OSError("%s: aliases without an end" % host)
    except OSError:
        if old:
            return old[0]
        raise


class Silent(OSError):
    """Nobody answered."""


async def alive(net, clock):
    """Does the name server say anything at all?"""
    try:
        await ask(net.address()[3], b"localhost", clock)
    except Silent:
        return False
    except OSError:
        pass  # an answer, though not a good one
    return True


async def ask(server, name, clock, port=None):
    """Ask `server`, an address, for `name`, bytes. -> as read(); OSError in words."""
    host = _text(name)
    local = server[:4] == "224."
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        port = port or (5353 if local else 53)
        where = socket.getaddrinfo(server, port, socket.AF_INET, socket.SOCK_DGRAM)[0][-1]
        if not local:
            sock.connect(where)  # so nobody else is heard, and nobody's being there is
        ident = getrandbits(16)
        packet = query(ident, name)
        begun = clock.ms()
        sent = begun - _AGAIN_MS
        while clock.ms() - begun < _ASK_MS:
            if clock.ms() - sent >= _AGAIN_MS:
                sent = clock.ms()
                if local:
                    sock.sendto(packet, where)
                else:
                    sock.send(packet)
            try:
                return read(sock.recv(_SIZE), ident, name)
            except ValueError:
                pass  # somebody else's answer, or nonsense; ours may still come
            except OSError as e:
                if e.errno != EAGAIN:
                    raise
                await clock.sleep_ms(_STEP_MS)
    except OSError as e:
        if e.errno is None or not isinstance(e.errno, int):
            raise  # in words already
        raise Silent("%s: the name server %s cannot be reached (%s)" % (host, server, e))
    finally:
        sock.close()
    raise Silent(
        "%s: nobody of that name in the house" % host
        if local
        else "%s: no answer from the name server %s" % (host, server)
    )


def query(ident, name):
    """The packet that asks for the address of `name`. OSError when it cannot be a name."""
    out = struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0)
    for label in name.split(b"."):
        if not 0 < len(label) < 64:
            raise OSError("%s: cannot be a name" % _text(name))
        out += bytes((len(label),)) + label
    return out + b"\x00\x00\x01\x00\x01"


def read(packet, ident, name):
    """The answer to query(ident, name). -> (address, seconds it holds, None), or, when the name
    is an alias of another whose address is not told, (None, seconds, that name).

    ValueError: not an answer to that, or not well formed. OSError: there is no address, in words.
    """
    if len(packet) < 12:
        raise ValueError
    got, flags, questions, answers = struct.unpack_from(">HHHH", packet)
    if got != ident or flags & 0xF800 != 0x8000:
        raise ValueError
    host = _text(name)
    if flags & 15 and flags & 15 != 3:
        raise OSError("%s: the name server fails (code %d)" % (host, flags & 15))
    at = 12
    if questions == 1:
        asked, at = _name(packet, at)
        at += 4
        if asked != name or packet[at - 4 : at] != b"\x00\x01\x00\x01":
            raise ValueError
    elif questions or answers == 0:
        raise ValueError
    if flags & 15:
        raise OSError("%s: there is no such name" % host)
    addresses = {}
    aliases = {}
    try:
        for _ in range(answers):
            owner, at = _name(packet, at)
            end = at + 10
            if end > len(packet):
                raise ValueError
            kind, family, seconds, length = struct.unpack_from(">HHIH", packet, at)
            at = end + length
            if at > len(packet):
                raise ValueError
            if seconds >> 31:
                seconds = 0
            if family & 0x7FFF != 1:
                continue
            if kind == 1 and length == 4 and owner not in addresses:
                addresses[owner] = ("%d.%d.%d.%d" % tuple(packet[end:at]), seconds)
            elif kind == 5:
                aliases[owner] = (_name(packet, end)[0], seconds)
    except ValueError:
        if not flags & 0x0200:  # cut short, and said so: what came may do
            raise
    keep = _KEEP_MAX
    at = name
    for _ in range(_HOPS):
        if at in addresses:
            address, seconds = addresses[at]
            return address, min(keep, seconds), None
        if at not in aliases:
            break
        at, seconds = aliases[at]
        keep = min(keep, seconds)
    if at == name:
        raise OSError("%s: has no IPv4 address" % host)
    return None, keep, at


def _text(name):
    return "".join([chr(c) if 32 < c < 127 else "?" for c in name])


# The name at `at`, in lower case, and where it ends. Pointers lead backwards only, so it ends.
def _name(packet, at):
    labels = []
    end = None
    room = 255
    least = at
    while True:
        if at >= len(packet):
            raise ValueError
        n = packet[at]
        at += 1
        if n >= 0xC0:
            if at >= len(packet):
                raise ValueError
            end = end or at + 1
            at = (n & 0x3F) << 8 | packet[at]
            if at >= least:
                raise ValueError
            least = at
            continue
        room -= n + 1
        if n > 63 or room < 0 or at + n > len(packet):
            raise ValueError
        if not n:
            return b".".join(labels), end or at
        labels.append(bytes(packet[at : at + n]).lower())
        at += n

# The `socket` module of a board: addresses are tuples, and nothing gets through unless the
# board's network does.
#
# Below is the unix port's socket, always non-blocking; waiting happens here, so that time-outs
# hold while timers tick.
import errno
import io
import socket as _host
import struct
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

import vb_chip as chip
import vb_regs as r

AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
SOL_SOCKET = _host.SOL_SOCKET
SO_REUSEADDR = _host.SO_REUSEADDR
SO_BROADCAST = _host.SO_BROADCAST
SO_BINDTODEVICE = 25
IP_ADD_MEMBERSHIP = 35
IP_DROP_MEMBERSHIP = 36
TCP_NODELAY = 1

_EHOSTUNREACH = 118  # not errno.EHOSTUNREACH: the number that a board shows
_EALREADY = 114
_EISCONN = 106
_EAI_FAIL = -202
_DNS_MS = 14000  # what the resolver takes to give up when nobody answers
_CONNECT_MS = 18000
_POLLIN = 1
_POLLOUT = 4
_MP_STREAM_POLL = 3
_MP_STREAM_CLOSE = 4
_MP_STREAM_GET_FILENO = 10
_STACK_LIMIT = 8 << 20

_getsockname = chip.libc.func("i", "getsockname", "ipp")
_pipe = chip.libc.func("i", "pipe", "p")

_fds = set()
_swapped = {}  # descriptor -> where the real socket is kept while the network is dead
_seen = [chip.R[r.NET_SEQ]]
_two = bytearray(8)
_name = bytearray(128)


# The stack's addresses: a buffer object there was made by C code, which wants a single read.
def _stack():
    with open("/proc/self/maps") as maps:
        for line in maps:
            if line.rstrip().endswith("[stack]"):
                low, high = (int(x, 16) for x in line.split(" ", 1)[0].split("-"))
                return high - _STACK_LIMIT, high
    return 0, 0


_stack_low, _stack_high = _stack()
_pipe(_two)
_hole = struct.unpack("ii", _two)[0]  # never readable, never writable


def _up():
    return chip.R[r.WLAN_CONNECTED] or chip.R[r.LAN_CONNECTED]


def _alive():
    return _up() and chip.R[r.NET_ALIVE]


def _pack(address):
    ip, port = address
    return (
        struct.pack("<H", AF_INET)
        + struct.pack(">H", port)
        + bytes(int(x) for x in ip.split("."))
        + bytes(8)
    )


def _unpack(data):
    port = data[2] << 8 | data[3]
    return ".".join(str(x) for x in data[4:8]), port


def _is_address(host):
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)


def _resolve(host):
    if host == "":
        return "0.0.0.0"
    if _is_address(host):
        return host
    if not _up():
        raise OSError(_EAI_FAIL)
    status, n = chip.request("D", host)
    if status == 0:
        return chip.text(n)
    if status == 1:  # ask this PC's resolver
        try:
            return _unpack(_host.getaddrinfo(host, 0, AF_INET)[0][-1])[0]
        except OSError:
            raise OSError(_EAI_FAIL)
    if status == 2:
        sleep_ms(_DNS_MS)
    raise OSError(_EAI_FAIL)


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    return [(AF_INET, type or SOCK_STREAM, proto, "", (_resolve(host), int(port)))]


# Where (host, port) is on this PC; None when packets to it vanish.
def _translate(address, kind):
    ip = _resolve(address[0])
    status, n = chip.request("A", ip, str(address[1]), "udp" if kind == SOCK_DGRAM else "tcp")
    if status:
        return None
    real, port = chip.text(n).split(" ")
    return real, int(port)


class socket(io.IOBase):
    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=0, *, _socket=None):
        if af != AF_INET:
            raise OSError(97)
        if not hasattr(_socket, "fileno"):
            _socket = _host.socket(af, type)
        self._s = _socket
        self._s.setblocking(False)
        self._fd = self._s.fileno()
        self._kind = type
        self._ms = None  # None: wait for ever, 0: do not wait
        self._names = None
        _fds.add(self._fd)
        if not _alive():
            _swap(self._fd)

    # Wait until the descriptor is ready; OSError(ETIMEDOUT), or EAGAIN when not to wait.
    def _wait(self, events, end):
        if self._ms == 0:
            raise OSError(errno.EAGAIN)
        pollfd = bytearray(8)
        while True:
            left = -1 if end is None else ticks_diff(end, ticks_ms())
            if end is not None and left <= 0:
                raise OSError(errno.ETIMEDOUT)
            struct.pack_into("ihh", pollfd, 0, self._fd, events, 0)
            if chip.poll_(pollfd, 1, left) > 0:
                return

    def _end(self):
        return None if self._ms is None else ticks_add(ticks_ms(), self._ms)

    # Call f(*args) until it does not say EAGAIN.
    def _do(self, events, f, *args):
        end = self._end()
        while True:
            if self._fd not in _swapped:
                try:
                    result = f(*args)
                    if result is not None:
                        return result
                except OSError as e:
                    if e.errno != errno.EAGAIN:
                        raise
            self._wait(events, end)

    def connect(self, address):
        if not _up():
            raise OSError(_EHOSTUNREACH)
        target = _translate(address, self._kind)
        if self._kind == SOCK_DGRAM:
            self._peer = address
            if target and self._fd not in _swapped:
                self._s.connect(_pack(target))
            return
        if target is None and self._fd not in _swapped:
            _swap(self._fd)
        end = self._end() or ticks_add(ticks_ms(), _CONNECT_MS)
        while True:
            if self._fd in _swapped:
                error = errno.EINPROGRESS
            else:
                try:
                    self._s.connect(_pack(target))
                    return
                except OSError as e:
                    error = e.errno
            if error == _EISCONN:
                return
            if error not in (errno.EINPROGRESS, _EALREADY) or self._ms == 0:
                raise OSError(error)
            self._wait(_POLLOUT, end)

    def bind(self, address):
        ip = "0.0.0.0" if chip.R[r.ONLINE] else "127.0.0.1"
        self._really(self._s.bind, _pack((ip, address[1])))

    def listen(self, backlog=2):
        self._really(self._s.listen, backlog)

    # What needs no network works without one.
    def _really(self, f, *args):
        chip.hold()
        try:
            saved = _swapped.pop(self._fd, None)
            if saved is not None:
                chip.dup2(saved, self._fd)
                chip.close(saved)
            try:
                f(*args)
            finally:
                if saved is not None:
                    _swap(self._fd)
        finally:
            chip.release()

    def accept(self):
        client, address = self._do(_POLLIN, self._s.accept)
        return socket(AF_INET, SOCK_STREAM, _socket=client), _unpack(address)

    def send(self, data):
        return self._do(_POLLOUT, self._s.send, data)

    def sendall(self, data):
        view = memoryview(data.encode() if isinstance(data, str) else data)
        while len(view):
            view = view[self.send(view) :]

    def sendto(self, data, address):
        if not _up():
            raise OSError(_EHOSTUNREACH)
        target = _translate(address, self._kind)
        if target is None or self._fd in _swapped:
            return len(data)
        if target != tuple(address):
            self._names = self._names or {}
            self._names[target] = tuple(address)
        return self._do(_POLLOUT, self._s.sendto, data, _pack(target))

    def recv(self, n):
        return self._do(_POLLIN, self._s.recv, n)

    def recvfrom(self, n):
        data, address = self._do(_POLLIN, self._s.recvfrom, n)
        address = _unpack(address)
        return data, (self._names or {}).get(address, address)

    # What a stream's methods make of "not now": None when not to wait, OSError(ETIMEDOUT) after a
    # time-out.
    def _stream(self, events, f, *args):
        try:
            return self._do(events, f, *args)
        except OSError as e:
            if self._ms == 0 and e.errno == errno.EAGAIN:
                return None
            raise

    def read(self, n=-1):
        out = b""
        while n:
            more = self._stream(_POLLIN, self._s.recv, min(n, 1024) if n > 0 else 256)
            if more is None and not out:
                return None
            if not more:
                break
            if not out and len(more) == n:
                return more
            out += more
            n -= len(more) if n > 0 else 0
        return out

    def readinto(self, buf, n=-1):
        n = len(buf) if n < 0 else min(n, len(buf))
        once = _stack_low <= id(buf) < _stack_high
        view = memoryview(buf)
        got = 0
        while got < n:
            more = self._stream(_POLLIN, self._s.readinto, view[got:n])
            if more is None and not got:
                return None
            if not more:
                break
            got += more
            if once:
                break
        return got

    def readline(self, n=-1):
        out = b""
        while n < 0 or len(out) < n:
            more = self._stream(_POLLIN, self._s.readline)
            if more is None and not out:
                return None
            if not more:
                break
            out += more
            if out.endswith(b"\n"):
                break
        return out

    def write(self, data, *part):
        view = memoryview(data.encode() if isinstance(data, str) else data)
        if part:
            view = view[part[0] if len(part) > 1 else 0 :][: part[-1]]
        sent = 0
        while sent < len(view):
            more = self._stream(_POLLOUT, self._s.send, view[sent:])
            if more is None:
                return sent or None
            sent += more
        return sent

    def settimeout(self, seconds):
        self._ms = None if seconds is None else int(seconds * 1000)

    def setblocking(self, on):
        self._ms = None if on else 0

    def setsockopt(self, level, option, value):
        multicast = level == IPPROTO_IP and option in (IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP)
        if option != SO_BINDTODEVICE and not (multicast and not chip.R[r.ONLINE]):
            self._really(self._s.setsockopt, level, option, value)

    def makefile(self, *args):
        return self

    def fileno(self):
        return self._fd

    def close(self):
        if self._fd < 0:
            return
        chip.hold()
        try:
            saved = _swapped.pop(self._fd, None)
            if saved is not None:
                chip.close(saved)
            _fds.discard(self._fd)
            self._fd = -1
            self._s.close()
        finally:
            chip.release()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def ioctl(self, request, arg):
        if request == _MP_STREAM_GET_FILENO:
            return self._fd
        if request == _MP_STREAM_POLL:
            return chip.ready(self._fd, arg)
        if request == _MP_STREAM_CLOSE:
            self.close()
            return 0
        return -1


# While the network is dead the descriptor of every socket leads into a hole, so that nobody who
# polls it wakes.
def _swap(fd):
    saved = chip.dup(fd)
    if saved >= 0:
        _swapped[fd] = saved
        chip.dup2(_hole, fd)


# Whether the descriptor is (still) an internet socket. None: it is closed; False: it is the hole.
def _is_socket(fd):
    struct.pack_into("i", _two, 0, len(_name))
    if _getsockname(fd, _name, _two) < 0:
        return False
    return _name[0] == AF_INET


def _on_interrupt():
    if chip.R[r.NET_SEQ] == _seen[0]:
        return
    _seen[0] = chip.R[r.NET_SEQ]
    if _alive():
        for fd, saved in list(_swapped.items()):
            if not _is_socket(fd):
                chip.dup2(saved, fd)
            chip.close(saved)
        _swapped.clear()
    else:
        for fd in list(_fds):
            if fd not in _swapped:
                if _is_socket(fd):
                    _swap(fd)
                else:
                    _fds.discard(fd)


chip.listeners.append(_on_interrupt)

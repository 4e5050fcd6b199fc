"""Sockets: what they do on good and on bad days of the network."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from meterlab.board import AccessPoint


@pytest.fixture
def board(make_board):
    return make_board(networks=[AccessPoint("home", "good key", -61, 11)])


@contextlib.contextmanager
def tcp_server(handle):
    """A server on loopback; `handle(connection)` runs in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(10)
                    handle(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


def echo(connection):
    while data := connection.recv(100):
        connection.sendall(data)


def reply(connection):
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += connection.recv(1000)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")


def test_nothing_goes_out_before_the_network_is_up(wlan):
    with pytest.raises(AssertionError, match="OSError: 118"):
        wlan.run("import socket\ns = socket.socket(); s.connect(('127.0.0.1', 80))")
    with pytest.raises(AssertionError, match="OSError: -202"):
        wlan.run("socket.getaddrinfo('example.test', 80)")
    with pytest.raises(AssertionError, match="OSError: 118"):
        wlan.run(
            "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            "u.sendto(b'x', ('127.0.0.1', 9))"
        )


def test_addresses_are_tuples(online):
    assert online.eval("__import__('socket').getaddrinfo('127.0.0.1', 80)") == [
        (2, 1, 0, "", ("127.0.0.1", 80))
    ]


def test_tcp_blocking_and_streams(online):
    with tcp_server(echo) as port:
        online.run(
            "import socket\ns = socket.socket(); s.settimeout(5); "
            f"s.connect(('127.0.0.1', {port}))"
        )
        assert online.eval("(s.write(b'one\\ntwo'), s.readline(), s.read(3))") == (
            7,
            b"one\n",
            b"two",
        )
        assert online.eval("(s.send(b'abc'), s.recv(10))") == (3, b"abc")
        online.run("b = bytearray(6); s.sendall(b'123456'); n = s.readinto(b); s.close()")
        assert online.eval("(n, bytes(b))") == (6, b"123456")


def test_time_outs_hold_while_a_timer_ticks(online):
    with tcp_server(lambda connection: connection.recv(1)) as port:
        online.run(
            "import socket\nfrom machine import Timer\n"
            "t = Timer(0, period=5, callback=lambda t: None)\n"
            f"s = socket.socket(); s.connect(('127.0.0.1', {port})); s.settimeout(0.3); "
            "a = time.ticks_ms()\n"
            "try: s.recv(1)\nexcept OSError as e: code = e.errno\nb = time.ticks_ms(); "
            "t.deinit(); s.close()"
        )
        assert online.eval("code == __import__('errno').ETIMEDOUT") is True
        assert online.eval("time.ticks_diff(b, a)") >= 290


def test_refused(online):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(AssertionError, match="ECONNREFUSED|OSError: 111"):
        online.run(
            "import socket\ns = socket.socket(); s.settimeout(5); "
            f"s.connect(('127.0.0.1', {port}))"
        )


def test_requests_and_asyncio(online):
    with tcp_server(reply) as port:
        online.run(f"import requests\nr = requests.get('http://127.0.0.1:{port}/', timeout=5)")
        assert online.eval("(r.status_code, r.text)") == (200, "hello")
        online.run(
            "import asyncio\nasync def get():\n"
            f"    r, w = await asyncio.open_connection('127.0.0.1', {port})\n"
            "    w.write(b'GET / HTTP/1.0\\r\\n\\r\\n'); await w.drain()\n"
            "    d = await r.read(-1); w.close(); await w.wait_closed()\n    return d\n"
            "d = asyncio.run(get())"
        )
        assert online.eval("d.endswith(b'hello')") is True
        online.run(f"import urequests\nr = urequests.get('http://192.168.4.1:{port}/')")
        assert online.eval("r.text") == "hello"


def test_a_server_on_the_board(online):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    online.start(
        "import asyncio\nasync def serve(r, w):\n"
        "    w.write(b'you said ' + await r.readline()); await w.drain(); w.close()\n"
        f"async def main():\n    s = await asyncio.start_server(serve, '0.0.0.0', {port})\n"
        "    print('up')\n    await asyncio.sleep(60)\nasyncio.run(main())"
    )
    online.expect(b"up\r\n")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"hi\n")
        assert client.recv(100) == b"you said hi\n"
    online.send(b"\x03")
    online.expect(b"\x04>")


def test_udp_goes_where_it_is_forwarded(make_board, connect, start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        board = make_board(
            forwards={
                ("ntp.test", 123): server.getsockname(),
                ("192.168.4.1", 53): server.getsockname(),
            }
        )
        raw = connect(board)
        raw.raw()
        raw.run(start + "w.active(True); w.connect('any', 'key'); wait(w.isconnected)")
        raw.run(
            "import socket\nu = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            "u.settimeout(5)\n"
            "a = socket.getaddrinfo('ntp.test', 123)[0][-1]; u.sendto(b'query', a)"
        )
        data, peer = server.recvfrom(100)
        assert data == b"query"
        server.sendto(b"answer", peer)
        assert raw.eval("u.recvfrom(100) == (b'answer', a)") is True
        raw.run("u.sendto(b'name?', ('192.168.4.1', 53))")
        data, peer = server.recvfrom(100)
        server.sendto(b"name!", peer)
        assert raw.eval("u.recvfrom(100)") == (b"name!", ("192.168.4.1", 53))
        with pytest.raises(AssertionError, match="OSError: -202"):
            raw.run("socket.getaddrinfo('unknown.test', 123)")


# gateway.names itself, over the board's own sockets.
def test_the_name_server_of_the_house_knows_its_names(make_board, connect, start):
    board = make_board(hosts={"server.home": "192.168.4.77"})
    raw = connect(board)
    raw.raw()
    raw.run(start + "w.active(True); w.connect('any', 'key'); wait(w.isconnected)")
    question = r"b'\0\7\1\0\0\1\0\0\0\0\0\0\6server\4home\0\0\1\0\1'"
    raw.run(
        "import socket\nu = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5)\n"
        f"u.connect((w.ifconfig()[3], 53)); n = u.send({question}); a = u.recv(512)"
    )
    assert raw.eval("(a[:4], tuple(a[-4:]))") == (b"\0\7\x81\x80", (192, 168, 4, 77))
    raw.run(f"n = u.send({question}.replace(b'server', b'nobody')); a = u.recv(512)")
    assert raw.eval("(a[:4], len(a))") == (b"\0\7\x81\x83", 29)
    board.wifi("dead")
    raw.run("u.settimeout(0.2)")
    with pytest.raises(AssertionError, match="ETIMEDOUT"):
        raw.run(f"n = u.send({question}); a = u.recv(512)")


def test_ntptime_sets_the_clock(make_board, connect, start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        board = make_board(forwards={("pool.ntp.org", 123): server.getsockname()})
        raw = connect(board)
        raw.raw()
        raw.run(start + "w.active(True); w.connect('any', 'key'); wait(w.isconnected)")
        raw.start("import ntptime; ntptime.settime(); print(time.gmtime()[:4])")
        query, peer = server.recvfrom(100)
        assert len(query) == 48
        # 2036-02-07 06:28:16 UTC is where 32 bits begin again; this is an hour after.
        server.sendto(bytes(40) + (3600).to_bytes(4, "big") + bytes(4), peer)
        assert raw.finish() == "(2036, 2, 7, 7)\n"


def test_offline_packets_to_elsewhere_vanish(online):
    online.run(
        "import socket\ns = socket.socket(); s.settimeout(0.2)\n"
        "try: s.connect(('203.0.113.1', 80))\nexcept OSError as e: code = e.errno\n"
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        "n = u.sendto(b'x', ('203.0.113.1', 80))"
    )
    assert online.eval("(code == __import__('errno').ETIMEDOUT, n)") == (True, 1)


def test_connected_but_dead(online, board):
    with tcp_server(echo) as port:
        online.run(
            "import socket\ns = socket.socket(); s.settimeout(0.3); "
            f"s.connect(('127.0.0.1', {port}))"
        )
        assert online.eval("(s.write(b'a'), s.read(1))") == (1, b"a")
        board.wifi("dead")
        online.run("time.sleep_ms(50)")
        assert online.eval("w.isconnected()") is True
        online.run(
            "def code(f, *a):\n    try: return f(*a)\n    except OSError as e: return e.errno\n"
            "import errno, select\nt = errno.ETIMEDOUT\np = select.poll(); p.register(s)\n"
            "c = socket.socket(); c.settimeout(0.2)"
        )
        assert online.eval("code(s.read, 1) == t") is True
        assert online.eval("p.poll(30)") == []
        assert online.eval(f"code(c.connect, ('127.0.0.1', {port})) == t") is True
        board.wifi(None)
        online.run("time.sleep_ms(50)")
        assert online.eval("(s.write(b'b'), s.read(1))") == (1, b"b")
        online.run(
            f"s.close(); c = socket.socket(); c.connect(('127.0.0.1', {port})); c.write(b'c')"
        )
        assert online.eval("c.read(1)") == b"c"
        online.run("c.close()")


def test_asyncio_waits_in_vain_on_a_dead_network(online, board):
    with tcp_server(echo) as port:
        board.wifi("dead")
        online.run(
            "import asyncio\nasync def f():\n    try:\n"
            f"        await asyncio.wait_for(asyncio.open_connection('127.0.0.1', {port}), 0.3)\n"
            "    except asyncio.TimeoutError:\n        return 'late'\n"
            "a = time.ticks_ms(); r = asyncio.run(f()); b = time.ticks_ms()"
        )
        assert online.eval("(r, 290 <= time.ticks_diff(b, a))") == ("late", True)


def test_names_take_their_time_on_a_dead_network(online, board):
    board.wifi("dead")
    online.start("import socket\nprint('go')\nsocket.getaddrinfo('server.test', 80)")
    online.expect(b"go\r\n")
    assert online.silent(0.5) == b""
    online.send(b"\x03")
    online.expect(b"KeyboardInterrupt")
    online.expect(b"\x04>")


def test_many_sockets_are_given_back(online):
    with tcp_server(echo) as port:
        online.run(
            "import socket\nfor i in range(300):\n    s = socket.socket(); "
            f"s.connect(('127.0.0.1', {port}))\n"
            "    s.write(b'x'); s.read(1); s.close()\nprint(s.fileno())"
        )
        assert online.eval("socket.socket().fileno() < 40") is True


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
def test_tls_over_the_stand_in(online, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += [
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(cert),
        "-days",
        "2",
        "-subj",
        "/CN=server.test",
    ]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def handle(connection):
        with context.wrap_socket(connection, server_side=True) as secure:
            reply(secure)

    with tcp_server(handle) as port:
        online.run(
            "import socket, ssl\ns = socket.socket(); s.settimeout(10)\n"
            f"s.connect(('127.0.0.1', {port})); "
            "s = ssl.wrap_socket(s, server_hostname='server.test')\n"
            "s.write(b'GET / HTTP/1.0\\r\\n\\r\\n'); d = s.read(); s.close()"
        )
        assert online.eval("d.endswith(b'hello')") is True
        online.run(
            "import asyncio, tls\nc = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT); "
            "c.verify_mode = tls.CERT_NONE\n"
            "async def get():\n"
            f"    r, w = await asyncio.open_connection('127.0.0.1', {port}, ssl=c,"
            " server_hostname='server.test')\n"
            "    w.write(b'GET / HTTP/1.0\\r\\n\\r\\n'); await w.drain()\n"
            "    d = await r.read(-1); w.close()\n    return d\n"
            "d = asyncio.run(get())"
        )
        assert online.eval("d.endswith(b'hello')") is True

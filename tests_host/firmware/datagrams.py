# A server of datagrams on loopback, in the loop of the test.
import asyncio
import socket


class Server:
    """Answers each datagram with what `reply(number, request)` returns: a list of packets."""

    def __init__(self, reply):
        self.reply = reply
        self.requests = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        for port in range(40_123, 40_553):
            try:
                self.sock.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
                self.port = port
                break
            except OSError:
                pass  # in use; the next one

    async def serve(self):
        while True:
            try:
                request, where = self.sock.recvfrom(512)
            except OSError:
                await asyncio.sleep(0.002)
                continue
            self.requests.append(request)
            for packet in self.reply(len(self.requests), request):
                self.sock.sendto(packet, where)

"""An internet of a test's own, in namespaces: one name, pay.example, that leads where each round says, and one host that is there under all
addresses. Run inside of `unshare --map-root-user --mount --net`: own_internet.py RESOLV_CONF CERTIFICATE KEY ROUND… -- COMMAND…

A round is a list of addresses with commas between them; the command runs once in each. Printed, as JSON: for each round what the command
has said, and to which of its addresses somebody came with a request.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
import threading

from https import HttpsServer, reply

#: Not one of those that are kept for private use, and ours as long as nobody else is on this net.
PUBLIC = "11.7.7.7"
A, AAAA = 1, 28


def set_up_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up and running
        address = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(PUBLIC))
        fcntl.ioctl(any_socket, 0x8916, struct.pack("16s16s", b"lo:1", address))  # SIOCSIFADDR


def answer_to(question, addresses):
    """A name server's message: the question again, and the addresses of the kind that was asked for; they may not be kept."""
    end = question.index(b"\0", 12) + 5
    (kind,) = struct.unpack("!H", question[end - 4 : end - 2])
    family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
    wanted = [address for address in addresses if family == (socket.AF_INET6 if ":" in address else socket.AF_INET)]
    packed = [socket.inet_pton(family, address) for address in wanted]
    records = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(each)) + each for each in packed)
    return question[:2] + struct.pack("!HHHHH", 0x8180, 1, len(packed), 0, 0) + question[12:end] + records


class NameServer:
    def __init__(self, address="127.0.0.1"):
        self.addresses, self.is_silent = [], False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            question, asker = self._socket.recvfrom(512)
            if not self.is_silent:
                self._socket.sendto(answer_to(question, self.addresses), asker)


def main(settings, certificate, key, *rest):
    at = rest.index("--")
    rounds, command = rest[:at], rest[at + 1 :]
    set_up_loopback()
    subprocess.run(["mount", "--bind", settings, "/etc/resolv.conf"], check=True)
    names, came, told = NameServer(), [], []

    def answer(handler):
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        came.append(handler.connection.getsockname()[0].removeprefix("::ffff:"))
        reply(handler, body=b'{"id":"pi_1","status":"succeeded","amount_received":4200,"currency":"eur"}')

    with HttpsServer(certificate, key, answer, port=443, address="::"):
        for each in rounds:
            names.addresses = each.split(",")
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            told.append([done.stdout, done.stderr, list(came)])
            came.clear()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

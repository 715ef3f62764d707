"""A private Redis. What it has answered is in its append-only file, so that killing it signs nobody out."""

import socket

from limen_chaos.process import Process, find_program, free_port


class Redis(Process):
    def __init__(self, folder):
        self.port = free_port()
        command = [find_program("redis-server"), "--bind", "127.0.0.1", "--port", self.port, "--dir", folder / "redis", "--save", "",
                   "--appendonly", "yes", "--appendfsync", "everysec"]  # fmt: skip
        super().__init__("redis", command, folder / "redis")

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

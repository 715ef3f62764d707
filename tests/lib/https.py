"""Another host: an https server on loopback, and an authority that issues certificates, good ones and bad ones.

The one idea: a test says in one line what is wrong with the host, and everything else about it is right.
"""

import http.client
import http.server
import socket
import ssl
import threading

from tokens import openssl


class Authority:
    """Issues certificates; whoever trusts `certificate` (a path) believes them."""

    def __init__(self, folder, name="authority"):
        self.folder, self.count = folder / name, 0
        self.folder.mkdir()
        self.certificate, self.key = self.folder / "authority.pem", self.folder / "authority.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
                 "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)  # fmt: skip

    def issue(self, names="DNS:localhost,IP:127.0.0.1", days=2):
        """(certificate, key) for these names; a negative number of days has expired."""
        self.count += 1
        key, request, certificate, names_at = (self.folder / f"{self.count}.{end}" for end in ("key", "csr", "pem", "names"))
        names_at.write_text(f"subjectAltName={names}\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=host",
                 "-keyout", key, "-out", request)  # fmt: skip
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-days", days,
                 "-extfile", names_at, "-out", certificate)  # fmt: skip
        return certificate, key


class HttpsServer:
    """Answers every request with what `answer(handler)` writes; `requests` are the paths that were asked for."""

    def __init__(self, certificate, key, answer, port=0, address="127.0.0.1"):
        self.requests = []
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                requests.append(self.path)
                try:
                    answer(self)
                except (ConnectionError, ssl.SSLError):
                    pass  # the other end has heard enough
                self.close_connection = True

            do_POST = do_GET

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

            def finish_request(self, connection, address):
                connection.settimeout(60)
                try:  # in the connection's own thread: a handshake that is not finished holds nobody else
                    wrapped = context.wrap_socket(connection, server_side=True)
                except OSError:
                    return
                super().finish_request(wrapped, address)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = Quiet((address, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self._server.server_port

    def url(self, host="localhost", path="/keys"):
        return f"https://{host}:{self.port}{path}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def forward(port, heard=None):
    """What comes is handed on to a plain server on loopback, and its answer back. `heard` takes (method, path, head, body)."""

    def answer(handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if heard is not None:
            heard.append((handler.command, handler.path, dict(handler.headers), body))
        inner = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            inner.request(handler.command, handler.path, body, dict(handler.headers))
            got = inner.getresponse()
            reply(handler, got.status, got.read())
        except (http.client.HTTPException, OSError):
            pass  # dropped there, and so it is here
        finally:
            inner.close()

    return answer


def reply(handler, status=200, body=b"{}", fields=()):
    """One whole answer."""
    handler.send_response(status)
    for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *fields]:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)

"""The harness's client, as a customer of the shop: it signs up or in, and is known by its cookie from then on."""

from limen_chaos import client
from limen_chaos.client import Gone, read_answer, request_bytes

__all__ = ["Client", "Gone", "read_answer", "request_bytes"]


class Client(client.Client):
    def __init__(self, host, port, cookie=None):
        super().__init__(host, port)
        self.cookie = None
        if cookie is not None:
            self._is(cookie)

    def _is(self, cookie):
        self.cookie, self.fields = cookie, [("Cookie", f"__Host-session={cookie}")]

    async def sign_up(self, email, password="four plain words here", name="A Customer"):
        """Makes an account, and is it from now on. Returns its id."""
        answer = await self.call("POST", "/api/accounts", {"email": email, "password": password, "name": name})
        assert answer.status == 201, answer.body
        self._keep_cookie(answer)
        return answer.json()["id"]

    async def sign_in(self, email, password):
        answer = await self.call("POST", "/api/sessions", {"email": email, "password": password})
        assert answer.status == 201, answer.body
        self._keep_cookie(answer)

    def _keep_cookie(self, answer):
        self._is(answer.fields["set-cookie"].split(";")[0].split("=", 1)[1])

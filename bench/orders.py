"""orders.py - what the checkout's benchmarks share: customers who order one thing after the other, and how many orders a second that makes."""
import pathlib
import re
import subprocess
import sys

from lib import ROOT

sys.path[:0] = [str(ROOT / "tests" / "lib"), str(ROOT / "tests" / "chaos")]
from caller import customer  # noqa: E402

CUSTOMERS = 64
CONNECTIONS = 64  # of clients
PREPARE = "UPDATE items SET stock = 1000000, price = 1000"
WRK = """
local cookies = { %s }
local items = { %s }
local thread_count = 0
function setup(thread) thread:set("number", thread_count); thread_count = thread_count + 1 end
function init() math.randomseed(os.time() * 100 + number); run = math.random(1, 1e9); serial = 0 end
function request()
    serial = serial + 1
    local fields = { ["Content-Type"] = "application/json", ["Cookie"] = "__Host-session=" .. cookies[serial %% #cookies + 1],
                     ["Idempotency-Key"] = string.format("%%d-%%d-%%d", run, number, serial) }
    local body = string.format('{"lines":[{"itemId":"%%s","quantity":1}]}', items[math.random(#items)])
    return wrk.format("POST", "/api/checkout", fields, body)
end
local refused = 0
function response(status) if status ~= 201 then refused = refused + 1; if refused < 3 then print("refused", status) end end end
"""


class Orders:
    """Customers of a shop, and the load that they make."""

    def __init__(self, shop, items, folder):
        self.url, self.items = shop.url, items
        self.customers = [customer(shop) for _ in range(CUSTOMERS)]
        self.script = pathlib.Path(folder) / "checkout.lua"
        quoted = [", ".join(f'"{one}"' for one in many) for many in ([one.cookie for one in self.customers], items)]
        self.script.write_text(WRK % tuple(quoted))

    def place(self, seconds, connections=CONNECTIONS):
        """(orders a second, orders)"""
        said = subprocess.run(["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s", self.script, self.url],
                              capture_output=True, text=True).stdout  # fmt: skip
        rate, orders = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"(\d+) requests in", said)
        if rate is None or re.search("Non-2xx|refused|Socket errors", said):
            sys.exit(f"bench: not every order was placed\n{said}")
        return float(rate[1]), int(orders[1])

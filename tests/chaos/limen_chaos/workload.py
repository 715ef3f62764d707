"""What an app's own file tells the harness: which requests its clients make, and what must hold in the end.

    class Notes(Workload):
        async def prepare(self, run): …             accounts and what else clients need; nothing goes wrong yet
        async def customer(self, run, number): …    one client; comes again while `run.goes_on`
        def check(self, run): …                     the app's own invariants, in words

That acknowledged keys replay identically, that nobody is signed out and that every key is answered in the end is checked for every app.
"""


class Workload:
    clients = 100
    workers = 2  # of each replica
    replicas = 5  # where the database can be shared; else one
    flags = ()  # of the app's `run`
    rates = {}  # {fault: seconds between two}, where the harness's own are not right; 0: never
    haproxy = None  # the configuration of the balancer in front, with --all
    recovery_s = 30.0  # once the last fault is over, nothing may be stuck for longer
    signed_in = None  # ("GET", "/api/me"): what anybody who is signed in may ask

    def provider(self, folder):
        """What stands in for a payment provider, or None: it has `port`, start(), kill() and flags_of_app(port)."""
        return None

    async def prepare(self, run):
        pass

    async def customer(self, run, number):
        raise NotImplementedError("a workload makes requests")

    def unsettled(self, run):
        """What is still under way, as a number: the run waits for it to become 0. Called in a thread."""
        return 0

    def check(self, run):
        """After the replicas have stopped, while the databases still run. Yields what is wrong."""
        return ()

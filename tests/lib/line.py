"""The harness's wire for tests that do one thing after the other: it lives on a loop in a thread of its own."""

import asyncio
import threading

from limen_chaos.wire import State, Wire


class Line:
    """`with Line(port) as line:` - a TCP proxy on `line.port`; `line.cut()` resets what is connected and what comes, `line.mend()` ends that."""

    def __init__(self, port):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._wire = Wire("line", port)

    @property
    def port(self):
        return self._wire.port

    def _run(self, function, *arguments):
        async def call():
            return function(*arguments)

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def cut(self, state=State.REFUSED):
        self._run(self._wire.become, state)

    def mend(self):
        self._run(self._wire.become, State.WHOLE)

    def reset(self):
        self._run(self._wire.reset)

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._wire.start(), self._loop).result(10)
        return self

    async def _end(self):
        self._wire.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

#!/usr/bin/env python3
"""A client of notify_push in Python: logs in, receives notifications, reconnects after a lost connection.

    client.py wss://cloud.example.com/push/ws alice < file-with-the-password

You need the package websockets (Debian: python3-websockets), which pings by itself and detects a dead
connection.
"""

import asyncio
import json
import random
import sys

import websockets

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0


class Refused(Exception):
    """A retry with the same password can't succeed."""


async def messages(url, user, password):
    """Yields (type, body) for each message, endlessly.

    After each login you receive `authenticated`: resync then, because you may have missed messages.
    """
    failures = 0
    while True:
        try:
            async with websockets.connect(url) as socket:
                await socket.send(user)
                await socket.send(password)
                async for text in socket:
                    if text in ("err: Invalid credentials", "err: Login revoked"):
                        raise Refused(text.removeprefix("err: "))
                    if text.startswith("err: "):
                        break
                    if text == "authenticated":
                        failures = 0
                        await socket.send("listen notify_file_id")
                    kind, _, body = text.partition(" ")
                    yield kind, json.loads(body) if body else None
        except (OSError, asyncio.TimeoutError, websockets.WebSocketException):
            pass
        # All clients lose their connection at the same time, so spread the reconnects.
        wait = min(FIRST_WAIT * 2**failures, LONGEST_WAIT)
        failures += 1
        await asyncio.sleep(wait * random.uniform(0.5, 1.5))


async def main(url, user):
    password = sys.stdin.read().strip()
    try:
        async for kind, body in messages(url, user, password):
            print(kind if body is None else f"{kind} {json.dumps(body)}", flush=True)
    except Refused as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

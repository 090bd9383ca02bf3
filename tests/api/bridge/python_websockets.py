"""A program that knows nothing of sockscope: bytes to an echo and back, a ping, and what it is told of a refused port."""

import asyncio
import os
import sys

import websockets

BYTES = 3_000_000
PIECE = 65_537


async def echo(url):
    async with websockets.connect(url) as ws:
        sent = os.urandom(BYTES)

        async def send():
            for at in range(0, BYTES, PIECE):
                await ws.send(sent[at : at + PIECE])

        async def receive():
            received = bytearray()
            while len(received) < BYTES:
                received += await ws.recv()
            return received

        _, received = await asyncio.gather(send(), receive())
        assert received == sent, "not intact"
        # Resolved by a pong that says the same.
        await (await ws.ping(b"are you there?"))
    assert ws.close_code == 1000, ws.close_code


async def refused(url):
    async with websockets.connect(url) as ws:
        try:
            await ws.recv()
        except websockets.ConnectionClosed:
            pass
    assert (ws.close_code, "ECONNREFUSED" in ws.close_reason) == (1011, True), (ws.close_code, ws.close_reason)


async def main(to_echo, to_nobody):
    await echo(to_echo)
    await refused(to_nobody)


asyncio.run(main(*sys.argv[1:]))

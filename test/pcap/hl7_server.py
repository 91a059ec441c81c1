#!/usr/bin/python3
"""An HL7 listener as others write them (python3-hl7): acknowledges what comes in."""
import asyncio
import sys

import hl7
from hl7.mllp import start_hl7_server


async def talk(reader, writer):
    while not writer.is_closing():
        try:
            message = await reader.readmessage()
        except asyncio.IncompleteReadError:
            break
        writer.writemessage(message.create_ack())
        await writer.drain()


async def main():
    server = await start_hl7_server(talk, sys.argv[1], port=int(sys.argv[2]))
    async with server:
        await server.serve_forever()


asyncio.run(main())

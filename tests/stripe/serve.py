"""localstripe, a Stripe that others wrote, on a port of its own. Prints its address when it is ready, then what it does, a line each."""

import asyncio
import logging
import sys

from aiohttp import web
from localstripe import resources
from localstripe.server import app

# It would keep everything in one file for all of this machine.
resources.Store.dump_to_disk = lambda self: None


async def serve():
    logger = logging.getLogger("aiohttp.access")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler(sys.stdout))
    runner = web.AppRunner(app, access_log=logger)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("listening", "http://127.0.0.1:%d" % site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(serve())

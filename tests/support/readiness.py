"""What `/healthz` of a service says while it cannot work."""

import asyncio
import json
import urllib.error
import urllib.request

from tests.support.service_process import ServiceProcess


async def reason_not_ready(service: ServiceProcess, patience: float = 30) -> str:
    """Why it is not ready, once it is not."""
    address = f"http://127.0.0.1:{service.port}/healthz"
    async with asyncio.timeout(patience):
        while True:
            try:
                await asyncio.to_thread(urllib.request.urlopen, address)
            except urllib.error.HTTPError as error:
                return str(json.loads(error.read())["reason"])
            await asyncio.sleep(0.05)

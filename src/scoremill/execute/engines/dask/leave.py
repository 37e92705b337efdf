"""A worker whose pod ends retires itself; its nanny loads this module by `--preload-nanny`.

So what it holds is moved to other workers, and a task that it was running is given to another one and is not taken for one that
kills workers. The scheduler knows the worker by its certificate, where its plain HTTP server would have to believe anybody.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from distributed import rpc

from scoremill.naming import LEAVE_SECONDS

if TYPE_CHECKING:
    from distributed import Nanny

_CONNECT_SECONDS = 3.0
"""Not Dask's 30: if the scheduler ends at the same time, nobody waits for it."""
logger = logging.getLogger("distributed.nanny")


async def dask_teardown(nanny: Nanny) -> None:
    """Have the scheduler retire the worker of a nanny that is about to close."""
    if nanny.worker_address is None:
        return
    try:
        await asyncio.wait_for(_retire(nanny), LEAVE_SECONDS)
    except Exception as error:
        # The worker ends all the same, as if it had been lost.
        logger.info("could not retire %s: %s: %s", nanny.worker_address, type(error).__name__, error)


async def _retire(nanny: Nanny) -> None:
    async with rpc(nanny.scheduler_addr, connection_args=nanny.connection_args, timeout=_CONNECT_SECONDS) as scheduler:
        await scheduler.retire_workers(workers=[nanny.worker_address], close_workers=False, remove=True)

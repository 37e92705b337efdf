"""Retire a worker when its pod ends; its nanny loads this module with `--preload-nanny`.

So its data moves to other workers, and its running task moves too, without counting as a task that kills workers. The call
uses the certificate of the worker, while the scheduler's plain HTTP server has no authentication.
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
"""Less than Dask's 30 s, so that the worker ends soon if the scheduler ends at the same time."""
logger = logging.getLogger("distributed.nanny")


async def dask_teardown(nanny: Nanny) -> None:
    """Let the scheduler retire the worker of a nanny that is about to close."""
    if nanny.worker_address is None:
        return
    try:
        await asyncio.wait_for(_retire(nanny), LEAVE_SECONDS)
    except Exception as error:
        # The worker ends anyway, as if it were lost.
        logger.info("could not retire %s: %s: %s", nanny.worker_address, type(error).__name__, error)


async def _retire(nanny: Nanny) -> None:
    async with rpc(nanny.scheduler_addr, connection_args=nanny.connection_args, timeout=_CONNECT_SECONDS) as scheduler:
        await scheduler.retire_workers(workers=[nanny.worker_address], close_workers=False, remove=True)

"""Remove expired driver logs from an output, by the number of logs and the age in the job's `cleanup`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scoremill.naming import LOGS

if TYPE_CHECKING:
    from scoremill.spec.cluster import Cleanup
    from scoremill.storage.filesystem import Store

TIME_FORMAT = "%Y%m%dT%H%M%SZ"
"""Format of the time in the name of a log, `ATTEMPT-TIME.log`."""
_TIME = re.compile(r"\d+-(\d{8}T\d{6}Z)\.log")


def remove_expired(store: Store, cleanup: Cleanup, own: str, now: datetime) -> None:
    """Remove the logs that `cleanup` does not keep, for all jobs with this output, except `own`."""
    store.delete(expired((info.name for info in store.list(f"{LOGS}/")), cleanup, own, now))


def expired(names: Iterable[str], cleanup: Cleanup, own: str, now: datetime) -> list[str]:
    """Return those of `names` that are too old or too many, counting `own`; other files are ignored."""
    times = {name: time for name in names if (time := _time_of(name)) and name != own}
    newest_first = sorted(times, key=lambda name: (times[name], name), reverse=True)
    most, days = cleanup.log_history_limit, cleanup.log_retention_days
    oldest = now - timedelta(days=days) if days is not None else None
    return [
        name
        for number, name in enumerate(newest_first, start=2)
        if number > most or (oldest is not None and times[name] < oldest)
    ]


def _time_of(name: str) -> datetime | None:
    found = _TIME.fullmatch(name.rpartition("/")[2])
    try:
        return datetime.strptime(found[1], TIME_FORMAT).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None

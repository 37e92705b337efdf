"""The times of a cron line in its time zone, across changes of the clock as Debian's cron has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MOST = 100
"""Missed times that are counted."""
_SHIFT = timedelta(hours=4)
"""More than any clock is ever set back: what it shows says that much too little."""
_NAMED = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip


class Clock:
    """The times of `line`, in UTC; ValueError where it is not cron's."""

    def __init__(self, line: str, zone: str | None = None) -> None:
        self._line, self._zone = _NAMED.get(line, line), ZoneInfo(zone) if zone else UTC
        try:
            self._times(datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(f"{line!r} is not a line of cron: {error}") from None

    def next(self, after: datetime) -> datetime | None:
        """The first time after `after`; None where there is none in fifty years."""
        return next((time for time in self._times(after) if time > after), None)

    def missed(self, after: datetime, now: datetime) -> list[datetime]:
        """Those after `after` that are not after `now`, the latest first; at most one more than MOST."""
        past = (time for time in self._times(now + _SHIFT, back=True) if time <= now)
        return list(islice(takewhile(lambda time: time > after, past), MOST + 1))

    def _times(self, start: datetime, *, back: bool = False) -> Iterator[datetime]:
        times = CronSim(self._line, start.astimezone(self._zone), reverse=back)
        return (time.astimezone(UTC) for time in times)

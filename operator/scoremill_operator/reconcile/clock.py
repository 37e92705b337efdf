"""The times of a cron expression in its time zone; changes of the clock are handled as in Debian's cron."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from scoremill.units import quoted

MOST = 100
"""Maximum number of missed times that are counted."""
_SHIFT = timedelta(hours=4)
"""More than any clock is ever set back: cronsim starts this much earlier, where local times are unambiguous."""
_SPANS = (timedelta(hours=2), timedelta(days=8), timedelta(days=400), timedelta(days=365_000))
"""How far back to look, so that a line of every minute is not followed through a year."""
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Clock:
    """The times of the cron expression `line`, in UTC; raises ValueError if it is invalid."""

    def __init__(self, line: str, zone: str | None = None) -> None:
        self._line, self._zone = _NAMED.get(line, line), ZoneInfo(zone) if zone else UTC
        try:
            self._times(datetime.now(UTC))
        except CronSimError as error:
            raise ValueError(f"{quoted(line)} is not a cron expression: {error}") from None

    def next(self, after: datetime) -> datetime | None:
        """Return the first time after `after`, or None if there is none within fifty years."""
        return next(self._times(after), None)

    def missed(self, after: datetime, now: datetime) -> list[datetime]:
        """Return the times after `after` until `now`, the latest first; more than MOST are not all counted."""
        found: list[datetime] = []
        for span in _SPANS:
            start = max(after, now - span)
            found = list(takewhile(lambda time: time <= now, self._times(start)))
            if len(found) > MOST or start == after:
                break
        return found[::-1]

    def _times(self, after: datetime) -> Iterator[datetime]:
        times = CronSim(self._line, (after - _SHIFT).astimezone(self._zone))
        return dropwhile(lambda time: time <= after, (time.astimezone(UTC) for time in times))

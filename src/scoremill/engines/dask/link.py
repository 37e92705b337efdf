"""A link to a scheduler, which connects again when its session is lost."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Protocol

from distributed import Client, LocalCluster, Security
from distributed.comm.core import FatalCommClosedError

from scoremill.errors import ClusterError

from .cluster_faults import AGAIN
from .session import Session, connect

_FIRST_TRY, _LATER_TRIES, _SHORTEST_TRY = 2.0, 10.0, 0.5
"""Time limits of one attempt to connect, in seconds; the run checks deadlines and its lease between two attempts."""
_PAUSE = 0.2
_OTHER_SERVER_SECONDS = 30.0
"""How long another server can answer in place of the scheduler. Until a node routes the address of a new Service, a
connection to it leaves the cluster, and a proxy of the network can accept it, with a certificate of its own.
"""


class Resumes(Protocol):
    """Callback that prepares a new session before it is used."""

    def __call__(self, session: Session, *, is_first: bool) -> None: ...


class Link:
    """Return the current session; close a lost one and wait for the next."""

    def __init__(
        self,
        place: str | LocalCluster,
        security: Security | None,
        patience: tuple[float, float],
        resumes: Resumes,
    ) -> None:
        """`patience` has the maximum number of seconds to connect first, and to connect again."""
        self._place, self._security, self._resumes = place, security, resumes
        self._name = place if isinstance(place, str) else "this machine"
        self._first_patience, self._patience = patience
        self._session: Session | None = None
        self._since, self._tries = time.monotonic(), 0
        self._is_first = True
        self._why = ""
        self._notes: list[str] = []

    def session(self) -> Session | None:
        """Return the working session; None if an attempt to connect has failed.

        Raise ClusterError if no scheduler has answered for too long, or if none ever can.
        """
        if self._session is not None and self._session.is_lost:
            self.close()
            self._since, self._tries, self._why = time.monotonic(), 0, ""
            self._notes.append(f"lost the Dask scheduler at {self._name}; waiting for it{self._for()}")
        if self._session is None:
            self._try()
        return self._session

    @property
    def present(self) -> Session | None:
        """The last session, without waiting."""
        return self._session

    @property
    def client(self) -> Client:
        """The client of the session, after waiting for one."""
        while (session := self.session()) is None:
            pass
        return session.client

    def notes(self) -> list[str]:
        """Return new messages about lost connections and waiting."""
        notes, self._notes = self._notes, []
        return notes

    def close(self) -> None:
        """Close the session if there is one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _for(self) -> str:
        return f", for up to {self._limit:.0f} s"

    def _try(self) -> None:
        try:
            session = connect(self._place, self._security, self._seconds_to_try())
        except (FatalCommClosedError, TypeError, ValueError, ImportError) as error:
            # TypeError: tls:// without certificates
            if self._is_first and not (_was_cut(error) or self._can_be_another_server(error)):
                raise self._unreachable(_cause(error)) from None
            self._fail(error)
            return
        except OSError as error:
            self._fail(error)
            return
        self._session = session
        is_first, self._is_first = self._is_first, False
        self._resumes(session, is_first=is_first)

    def _can_be_another_server(self, error: Exception) -> bool:
        early = time.monotonic() - self._since < _OTHER_SERVER_SECONDS
        return early and any(isinstance(each, ssl.SSLCertVerificationError) for each in _chain(error))

    def _seconds_to_try(self) -> float:
        longest = _LATER_TRIES if self._tries else _FIRST_TRY
        return min(longest, max(self._left, _SHORTEST_TRY))

    @property
    def _limit(self) -> float:
        return self._first_patience if self._is_first else self._patience

    @property
    def _left(self) -> float:
        return self._limit - (time.monotonic() - self._since)

    def _fail(self, error: Exception) -> None:
        self._tries += 1
        if not (self._why and _is_timeout(error)):
            # Keep an earlier cause: a short attempt on a busy machine can time out before it learns the cause.
            self._why = _cause(error)
        if self._left <= 0:
            # Dask's message has the duration of the last attempt, not of all attempts.
            raise self._unreachable(f"no connection within {self._limit:.0f} s ({self._why})")
        if self._is_first and self._tries == 1:
            self._notes.append(f"waiting for the Dask scheduler at {self._name}{self._for()}")
        time.sleep(_PAUSE)

    def _unreachable(self, why: str) -> ClusterError:
        return ClusterError(
            f"no Dask scheduler answers at {self._name}: {why}",
            f"Check the address, and that a Dask scheduler runs there. {AGAIN}",
            code="SchedulerUnreachable",
        )


def _was_cut(error: BaseException) -> bool:
    """Return whether the peer closed during the handshake: the scheduler ends, or a forwarded port has no pod."""
    cut = isinstance(error.__cause__, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError)
    return cut or (isinstance(error, ValueError) and "IOStream is not idle" in str(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it was raised from, the root last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_timeout(error: BaseException) -> bool:
    return error.__cause__ is None or any(isinstance(each, TimeoutError) for each in _chain(error))


def _cause(error: BaseException) -> str:
    *_, root = _chain(error)
    return str(root) or type(root).__name__

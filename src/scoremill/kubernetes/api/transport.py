"""Requests to one API server, with timeouts and retries."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Self
from urllib.parse import urlencode

from .failures import unreachable
from .kinds import Object

CONNECT_SECONDS, READ_SECONDS = 5, 30


class Transport:
    """Connections to the API server of `configuration`, which is one of the library kubernetes."""

    def __init__(self, configuration: Any, pool: Any = None) -> None:
        """`pool` replaces the connections of urllib3."""
        from kubernetes.client.rest import RESTClientObject
        from urllib3 import Retry, Timeout

        self.configuration = configuration
        self._pool = pool or RESTClientObject(configuration).pool_manager
        self._timeout = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        # Every call can be repeated: creating an object again after a lost answer returns 409.
        self._retry = Retry(
            total=3,
            backoff_factor=0.3,
            status_forcelist=(429, 502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
        )

    @property
    def host(self) -> str:
        return str(self.configuration.host)

    def apart(self) -> Self:
        """Return the same with connections of its own."""
        return type(self)(self.configuration)

    def hurried(self, seconds: float) -> Self:
        """Return the same with a timeout of `seconds` and no retries."""
        from urllib3 import Retry, Timeout

        other = copy.copy(self)
        other._timeout, other._retry = Timeout(total=seconds), Retry(0)
        return other

    def authorization(self) -> dict[str, str]:
        """Return the header with the credentials; empty if a client certificate is used."""
        return {auth["key"]: auth["value"] for auth in self.configuration.auth_settings().values()}

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None = None,
        content: str | None = None,
        **how: Any,
    ) -> Any:
        """Return the response of urllib3; raise Unavailable if there is none. `how` is passed to its pool."""
        from urllib3.exceptions import HTTPError

        kind = content or ("application/merge-patch+json" if method == "PATCH" else "application/json")
        query = {key: value for key, value in query.items() if value}
        try:
            return self._pool.request(
                method,
                f"{self.host}{path}" + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers={"Accept": "application/json", "Content-Type": kind, **self.authorization()},
                **{"timeout": self._timeout, "retries": self._retry, **how},
            )
        except HTTPError as error:
            raise unreachable(self.host, error) from None

    @contextmanager
    def open(self, path: str, query: Mapping[str, str], seconds: float | None) -> Iterator[Any]:
        """Yield a response whose body is read in pieces, with at most `seconds` between two."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        timeout = Timeout(connect=CONNECT_SECONDS, read=seconds)
        try:
            with closing(self.request("GET", path, query, preload_content=False, timeout=timeout)) as response:
                yield response
        except HTTPError as error:
            raise unreachable(self.host, error) from None

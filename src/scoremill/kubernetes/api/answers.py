"""The answer of the API server to one call."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .kinds import Object


@dataclass(frozen=True)
class Answer:
    """The answer to one call."""

    status: int
    body: Object
    call: str
    """Method and path of the call."""
    host: str
    namespace: str
    """Namespace of the client that sent the call."""

    @property
    def message(self) -> str:
        return self.body.get("message") or f"HTTP {self.status}"


def parsed(data: bytes) -> Object:
    """Return the JSON object in the body of an answer; text becomes its message."""
    try:
        body = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace").strip()[:300]}
    return body if isinstance(body, dict) else {}

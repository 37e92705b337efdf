"""The client of the Kubernetes API: what `Reader` reads, and writes."""

from __future__ import annotations

from contextlib import suppress

from scoremill.errors import ClusterError

from ..objects import Resource
from .answers import Answer
from .failures import Conflict, no_place
from .kinds import Object, api_version
from .reads import Reader

_TRIES = 4
"""How often a status is applied if other writers change the object at the same time."""
_APPLY = "application/apply-patch+yaml"
_STRICT = {"fieldValidation": "Strict"}


class Kube(Reader):
    """A client of one API server, for one namespace."""

    def create(self, manifest: Object) -> Resource | None:
        """Return the created object, or None if one of that name exists already."""
        made = Resource.of(manifest)
        answer = self.call("POST", self.path(made.kind), _STRICT, manifest)
        if answer.status == 404:
            raise no_place(made.kind, answer)
        if answer.status != 409:
            return Resource.of(answer.body)
        if answer.body.get("reason") != "AlreadyExists":
            raise ClusterError(
                f"Kubernetes rejected {made.kind} {made.name}: {answer.body.get('message')}", code="KubernetesFailed"
            )
        return None

    def patch(self, kind: str, name: str, change: Object) -> Resource | None:
        """Return the object with `change` merged into it, or None if it does not exist."""
        return _changed(kind, name, self.call("PATCH", self.path(kind, name), _STRICT, change))

    def apply_status(
        self, kind: str, name: str, status: Object, *, manager: str, uid: str, version: str | None = None
    ) -> Resource | None:
        """Apply `status` as the field manager `manager`; return the object, or None if it does not exist.

        Fields of other managers are kept; fields that this manager applied earlier and omits now are deleted. Raises
        Conflict if the object has another uid, or has changed since `version`.
        """
        if version is None:
            for _ in range(_TRIES - 1):
                with suppress(Conflict):
                    return self._apply_to_existing(kind, name, status, manager, uid)
            return self._apply_to_existing(kind, name, status, manager, uid)
        identity = {"name": name, "uid": uid, "resourceVersion": version}
        made = {"apiVersion": api_version(kind), "kind": kind, "metadata": identity, "status": status}
        query = {"fieldManager": manager, "force": "true", **_STRICT}
        return _changed(kind, name, self.call("PATCH", f"{self.path(kind, name)}/status", query, made, _APPLY))

    def _apply_to_existing(self, kind: str, name: str, status: Object, manager: str, uid: str) -> Resource | None:
        """Apply to the current version: the API ignores the uid of a status, but not its resource version."""
        there = self.find(kind, name)
        if there is None:
            return None
        if there.uid != uid:
            raise Conflict(f"{kind} {name} was deleted and created again", "Nothing was changed; check the new object.")
        return self.apply_status(kind, name, status, manager=manager, uid=uid, version=there.version)

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> bool:
        """Request deletion of the object and all that it owns; return False if there is none (with that uid)."""
        options: Object = {"propagationPolicy": "Foreground"} | ({"preconditions": {"uid": uid}} if uid else {})
        return self.call("DELETE", self.path(kind, name), {}, options).status not in {404, 409}


def _changed(kind: str, name: str, answer: Answer) -> Resource | None:
    """Return the object that the answer holds, or None if there is none; raise Conflict if it was changed meanwhile."""
    if answer.status == 409:
        raise Conflict(f"{kind} {name} has changed: {answer.body.get('message')}", "Try again.")
    return None if answer.status == 404 else Resource.of(answer.body, kind)

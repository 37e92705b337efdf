"""The Kubernetes API: objects as dicts, a timeout on every call, every rejection as a ScoremillError."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import os
from collections.abc import Container, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

from scoremill.errors import ClusterError, UsageError
from scoremill.extras import require

Object = dict[str, Any]

_CORE, _DASK, _OURS = "/api/v1", "/apis/kubernetes.dask.org/v1", "/apis/scoremill.dev/v1alpha1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
KINDS = {
    "ScoringJob": (_OURS, "scoringjobs"),
    "ScoringSchedule": (_OURS, "scoringschedules"),
    "DaskCluster": (_DASK, "daskclusters"),
    "DaskWorkerGroup": (_DASK, "daskworkergroups"),
    "DaskAutoscaler": (_DASK, "daskautoscalers"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Pod": (_CORE, "pods"),
    "Service": (_CORE, "services"),
    "Secret": (_CORE, "secrets"),
    "Event": (_CORE, "events"),
    "Node": (_CORE, "nodes"),
    "ServiceAccount": (_CORE, "serviceaccounts"),
    "Role": (_RBAC, "roles"),
    "RoleBinding": (_RBAC, "rolebindings"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
}
CONNECT_SECONDS, READ_SECONDS = 5, 30
PAGE = 250
_GRACE = 1.25
"""Factor of a watch's duration after which it is closed if the server has not ended it."""
_NO_LOG = "unable to retrieve container logs for "
"""Text that the kubelet returns, with status 200, instead of a log that was just removed."""
_TRIES = 4
"""How often a status is applied if other writers change the object at the same time."""
_APPLY = "application/apply-patch+yaml"
_IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Kube:
    """A client of one API server, for one namespace."""

    def __init__(self, configuration: Any, namespace: str, pool: Any = None) -> None:
        from kubernetes.client.rest import RESTClientObject
        from urllib3 import Retry, Timeout

        self.configuration, self.namespace = configuration, namespace
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

    def within(self, namespace: str) -> Kube:
        """Return a client of the same API server for `namespace`."""
        other = copy.copy(self)
        other.namespace = namespace
        return other

    def hurried(self, seconds: float) -> Kube:
        """Return a client with a timeout of `seconds` and no retries, for calls that would soon be too late."""
        from urllib3 import Retry, Timeout

        other = copy.copy(self)
        other._timeout, other._retry = Timeout(total=seconds), Retry(0)
        return other

    def get(self, kind: str, name: str) -> Object | None:
        """Return the object, or None if it does not exist."""
        status, answer = self._call("GET", self.path(kind, name))
        return None if status == 404 else answer

    def select(self, kind: str, selector: str = "", *, fields: str = "", everywhere: bool = False) -> list[Object]:
        """Return the selected objects in this namespace or in all; an empty list if the server has no such kind."""
        return [*self.each(kind, selector, fields=fields, everywhere=everywhere)]

    def each(self, kind: str, selector: str = "", *, fields: str = "", everywhere: bool = False) -> Iterator[Object]:
        """Yield what `select` returns, with at most one page in memory."""
        for page in self.pages(kind, selector, fields=fields, everywhere=everywhere):
            yield from page["items"]

    def pages(self, kind: str, selector: str = "", *, fields: str = "", everywhere: bool = False) -> Iterator[Object]:
        """Yield the lists that `each` reads, with `items` and the `metadata` of the list."""
        query = {"labelSelector": selector, "fieldSelector": fields, "limit": str(PAGE)}
        while True:
            status, answer = self._call("GET", self.path(kind, everywhere=everywhere), query)
            if status == 404:
                return
            yield answer
            query["continue"] = answer.get("metadata", {}).get("continue", "")
            if not query["continue"]:
                return

    def watch(
        self, kind: str, selector: str = "", *, version: str, seconds: float, everywhere: bool = False
    ) -> Iterator[Object]:
        """Yield every change after `version`, and bookmarks, for `seconds`.

        Raises VersionExpired if `version` has expired on the server, and Unavailable if the connection breaks, or delivers
        nothing although the server should have ended the watch.
        """
        query = {
            "labelSelector": selector,
            "resourceVersion": version,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(math.ceil(seconds)),
        }
        path, line = self.path(kind, everywhere=everywhere), b""
        for piece in self._stream(path, query, math.ceil(seconds) * _GRACE):
            *lines, line = (line + piece).split(b"\n")
            for each in lines:
                event = json.loads(each)
                if event["type"] == "ERROR":
                    self._fail(event["object"].get("code", 500), event["object"], "GET", path)
                yield event

    def select_if_allowed(self, kind: str, *, fields: str = "") -> list[Object]:
        """Return what `select` returns, or an empty list if reading is not permitted."""
        try:
            return self.select(kind, fields=fields)
        except NotPermitted:
            return []

    def warnings_of(self, kind: str, name: str) -> list[Object]:
        """Return the warning events of one object, oldest first; an empty list if reading them is not permitted."""
        fields = f"type=Warning,involvedObject.kind={kind},involvedObject.name={name}"
        return sorted(self.select_if_allowed("Event", fields=fields), key=event_time)

    def create(self, made: Object) -> Object | None:
        """Return the created object, or None if one of that name exists already."""
        kind, name = made["kind"], made["metadata"]["name"]
        status, answer = self._call("POST", self.path(kind), {"fieldValidation": "Strict"}, made)
        if status == 404:
            raise self._no_place(kind, answer)
        if status == 409:
            if answer.get("reason") != "AlreadyExists":
                raise ClusterError(
                    f"Kubernetes rejected {kind} {name}: {answer.get('message')}", code="KubernetesFailed"
                )
            return None
        return answer

    def patch(self, kind: str, name: str, change: Object) -> Object | None:
        """Return the object with `change` merged into it, or None if it does not exist."""
        status, answer = self._call("PATCH", self.path(kind, name), {"fieldValidation": "Strict"}, change)
        return _unless_changed(f"{kind} {name}", status, answer)

    def apply_status(
        self, kind: str, name: str, status: Object, *, manager: str, uid: str, version: str | None = None
    ) -> Object | None:
        """Apply `status` as the field manager `manager`; return the object, or None if it does not exist.

        Fields of other managers are kept; fields that this manager applied earlier and omits now are deleted. Raises
        Conflict if the object has another uid, or has changed since `version`.
        """
        if version is None:
            for _ in range(_TRIES - 1):
                with suppress(Conflict):
                    return self._apply_to_existing(kind, name, status, manager, uid)
            return self._apply_to_existing(kind, name, status, manager, uid)
        prefix, _ = KINDS[kind]
        api = prefix.removeprefix("/apis/").removeprefix("/api/")
        identity = {"name": name, "uid": uid, "resourceVersion": version}
        made = {"apiVersion": api, "kind": kind, "metadata": identity, "status": status}
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        code, answer = self._call("PATCH", f"{self.path(kind, name)}/status", query, made, _APPLY)
        return _unless_changed(f"{kind} {name}", code, answer)

    def _apply_to_existing(self, kind: str, name: str, status: Object, manager: str, uid: str) -> Object | None:
        """Apply to the current version: the API ignores the uid of a status, but not its resource version."""
        there = self.get(kind, name)
        if there is None:
            return None
        if there["metadata"]["uid"] != uid:
            raise Conflict(f"{kind} {name} was deleted and created again", "Nothing was changed; check the new object.")
        version = there["metadata"]["resourceVersion"]
        return self.apply_status(kind, name, status, manager=manager, uid=uid, version=version)

    def delete(self, kind: str, name: str, *, uid: str | None = None) -> bool:
        """Request deletion of the object and all that it owns; return False if there is none (with that uid)."""
        options: Object = {"propagationPolicy": "Foreground"} | ({"preconditions": {"uid": uid}} if uid else {})
        status, _ = self._call("DELETE", self.path(kind, name), {}, options)
        return status not in {404, 409}

    def log(self, pod: str, tail: int, *, previous: bool = False) -> str | None:
        """Return the last `tail` lines of the pod's log; None if the pod has no log (yet, or any more)."""
        query = {"tailLines": str(tail)} | ({"previous": "true"} if previous else {})
        answer = self._request("GET", f"{self.path('Pod', pod)}/log", query, None)
        if answer.status in {400, 404}:
            return None
        self._refuse(answer.status, _parsed(answer.data), "GET", "pods/log")
        text = str(answer.data.decode(errors="replace"))
        return None if text.startswith(_NO_LOG) else text

    def follow_log(self, pod: str, tail: int) -> Iterator[bytes]:
        """Yield the last `tail` lines of the pod's log and everything after that, until its container ends."""
        query = {"tailLines": str(tail), "follow": "true"}
        yield from self._stream(f"{self.path('Pod', pod)}/log", query, None, absent=(400, 404))

    def require(self, kind: str) -> None:
        """Raise ClusterError, with a hint what to install, if the API server does not have the kind."""
        status, answer = self._call("GET", self.path(kind), {"limit": "1"})
        if status == 404:
            raise self._no_place(kind, answer)

    def path(self, kind: str, name: str = "", *, everywhere: bool = False) -> str:
        """Return the path of one object, or of a kind."""
        prefix, plural = KINDS[kind]
        place = "" if everywhere or kind == "Node" else f"/namespaces/{self.namespace}"
        return f"{prefix}{place}/{plural}" + (f"/{name}" if name else "")

    def authorization(self) -> dict[str, str]:
        """Return the header with the credentials; empty if a client certificate is used."""
        return {auth["key"]: auth["value"] for auth in self.configuration.auth_settings().values()}

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str | None = None,
    ) -> tuple[int, Object]:
        answer = self._request(method, path, query or {}, body, content)
        parsed = _parsed(answer.data)
        self._refuse(answer.status, parsed, method, path)
        return answer.status, parsed

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None,
        content: str | None = None,
        **how: Any,
    ) -> Any:
        """Return the response of urllib3; `how` is passed to its pool."""
        from urllib3.exceptions import HTTPError

        kind = content or ("application/merge-patch+json" if method == "PATCH" else "application/json")
        query = {key: value for key, value in query.items() if value}
        try:
            return self._pool.request(
                method,
                f"{self.configuration.host}{path}" + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers={"Accept": "application/json", "Content-Type": kind, **self.authorization()},
                **{"timeout": self._timeout, "retries": self._retry, **how},
            )
        except HTTPError as error:
            raise unreachable(self.configuration.host, error) from None

    def _stream(
        self, path: str, query: Mapping[str, str], seconds: float | None, absent: Container[int] = ()
    ) -> Iterator[bytes]:
        """Yield the response in pieces, with at most `seconds` between two; nothing for a status in `absent`."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        timeout = Timeout(connect=CONNECT_SECONDS, read=seconds)
        try:
            with closing(self._request("GET", path, query, None, preload_content=False, timeout=timeout)) as answer:
                if answer.status in absent:
                    return
                if answer.status != 200:
                    self._fail(answer.status, _parsed(answer.read()), "GET", path)
                yield from answer.stream(amt=None)
        except HTTPError as error:
            raise unreachable(self.configuration.host, error) from None

    def _fail(self, status: int, answer: Object, method: str, path: str) -> NoReturn:
        """Raise an error for a call that must return 200."""
        self._refuse(status, answer, method, path)
        message = answer.get("message") or f"HTTP {status}"
        raise ClusterError(
            f"the Kubernetes API failed at {method} {path}: {message}", "Try again later.", code="KubernetesFailed"
        )

    def _refuse(self, status: int, answer: Object, method: str, path: str) -> None:
        message = answer.get("message") or f"HTTP {status}"
        if status == 401:
            raise ClusterError(
                f"the Kubernetes API at {self.configuration.host} rejected your credentials (401)",
                "Log in to the cluster again, or choose another context with --context.",
                code="KubernetesCredentials",
            )
        if status == 403:
            raise NotPermitted(
                f"not permitted in namespace {self.namespace}: {message}",
                "Ask the cluster's administrator for the Role of scoremill's chart, or choose another --namespace or "
                "--context.",
            )
        if status in {400, 422}:
            raise UsageError(
                f"Kubernetes rejected the request as invalid: {message}",
                "Correct the value that the message names.",
                code="KubernetesRejected",
            )
        if status == 410:
            raise VersionExpired(f"the requested resource version has expired: {message}", "List the objects again.")
        if status == 429 or status >= 500:
            raise Unavailable(f"the Kubernetes API failed at {method} {path}: {message}", "Try again later.")
        if status >= 400 and status not in {404, 409}:
            raise ClusterError(
                f"the Kubernetes API failed at {method} {path}: {message}", "Try again later.", code="KubernetesFailed"
            )

    def _no_place(self, kind: str, answer: Object) -> NoPlace:
        if answer.get("details", {}).get("kind") == "namespaces":
            return NoPlace(
                f"namespace {self.namespace} not found",
                f"Create it with `kubectl create namespace {self.namespace}`, or choose another with --namespace.",
            )
        prefix, plural = KINDS[kind]
        if prefix == _OURS:
            return NoPlace(
                f"this Kubernetes cluster has no {plural}: scoremill's chart is not installed",
                "Install the chart helm/scoremill.",
                code="OperatorMissing",
            )
        return NoPlace(
            f"this Kubernetes cluster has no {plural}: dask-kubernetes' operator is not installed",
            "Install the chart helm/scoremill, which includes it, or follow https://kubernetes.dask.org.",
            code="OperatorMissing",
        )


def event_time(event: Mapping[str, Any]) -> dt.datetime:
    """Return when an Event was last observed, or else when it was created."""
    text = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return dt.datetime.fromisoformat(text)


class Unavailable(ClusterError):
    """The API does not answer, or not now; the same call might succeed later."""

    code = "KubernetesUnreachable"


class VersionExpired(ClusterError):
    """The resource version has expired."""

    code = "KubernetesFailed"


class NoPlace(ClusterError):
    """The namespace or the kind does not exist."""

    code = "NamespaceNotFound"


class Conflict(ClusterError):
    """The object has changed since it was read."""

    code = "KubernetesConflict"


class NotPermitted(ClusterError):
    """The credentials are valid but do not permit the request."""

    code = "KubernetesForbidden"


def connect(kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> Kube:
    """Return a client of the API in the kubeconfig or, in a pod without one, of the pod's own cluster."""
    require("kubernetes", "Kubernetes")
    from kubernetes import config
    from kubernetes.client import Configuration
    from kubernetes.config.config_exception import ConfigException

    configuration = Configuration()
    # The client's own default is the value that the variable had when it was imported.
    kubeconfig = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if not kubeconfig and not context and _is_pod():
            config.load_incluster_config(client_configuration=configuration)
            # A proxy in HTTPS_PROXY is for buckets; it cannot resolve the cluster's own services.
            configuration.proxy = None
            return Kube(configuration, namespace or _IN_POD.read_text().strip())
        config.load_kube_config(kubeconfig, context, client_configuration=configuration)
        contexts, active = config.list_kube_config_contexts(kubeconfig)
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterError(
            f"could not load a Kubernetes configuration: {error}",
            "Set KUBECONFIG, or choose a cluster with --kubeconfig and --context.",
            code="NoKubeconfig",
        ) from None
    chosen = next((each for each in contexts if each["name"] == context), active)
    return Kube(configuration, namespace or chosen["context"].get("namespace") or "default")


def current_context() -> str:
    """Return the name of the kubeconfig's current context; ClusterError if there is none."""
    require("kubernetes", "Kubernetes")
    from kubernetes import config
    from kubernetes.config.config_exception import ConfigException

    try:
        _, active = config.list_kube_config_contexts(os.environ.get("KUBECONFIG"))
    except (ConfigException, OSError, ValueError) as error:
        raise ClusterError(
            f"no kubeconfig was found: {error}", "Set KUBECONFIG, or create ~/.kube/config.", code="NoKubeconfig"
        ) from None
    return str(active["name"])


def unreachable(host: str, error: Exception) -> Unavailable:
    """Return the error for an API server that does not answer."""
    reason = getattr(error, "reason", None) or error
    return Unavailable(
        f"could not reach the Kubernetes API at {host}: {reason}",
        "Check that the cluster is running and that --context names the right one.",
    )


def _is_pod() -> bool:
    has_config = "KUBECONFIG" in os.environ or (Path.home() / ".kube" / "config").exists()
    return not has_config and "KUBERNETES_SERVICE_HOST" in os.environ and _IN_POD.exists()


def _unless_changed(what: str, status: int, answer: Object) -> Object | None:
    if status == 409:
        raise Conflict(f"{what} has changed: {answer.get('message')}", "Try again.")
    return None if status == 404 else answer


def _parsed(data: bytes) -> Object:
    try:
        answer = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace").strip()[:300]}
    return answer if isinstance(answer, dict) else {}

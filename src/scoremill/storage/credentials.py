"""The one rule for credentials: settings of the job, then the environment, then a file of options.

Nothing secret is kept but inside the client libraries' own objects: an options file is read in each process that
needs it, profiles and environment are read by the libraries themselves.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scoremill.errors import UsageError
from scoremill.spec import Storage

Options = dict[str, Any]
_FILE = "`spec.storage.optionsFile`"


def fsspec_options(protocol: str, settings: Storage) -> Options:
    """Return the arguments of the fsspec file system for `protocol`, read again at each call.

    Raises UsageError for an options file that is missing, malformed or readable by everyone.
    """
    given = {"s3": _s3, "gs": _gs}.get(protocol, _other)(settings)
    options = _merged(given, _named_options(protocol, settings.options))
    if settings.options_file is not None:
        options = _merged(options, _named_options(protocol, read_options_file(settings.options_file)))
    return {**options, "use_listings_cache": False, "skip_instance_cache": True}


def read_options_file(path: str) -> Options:
    """Return the mapping in the JSON or YAML file at `path`, which must be readable only by its owner (and group).

    Errors name the line but never quote it: the file holds secrets.
    """
    file = Path(path).expanduser()
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(
            f"cannot read {_FILE} {path}: {reason}", "Check its name and its owner.", code="InvalidStorageOptions"
        ) from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise UsageError(
            f"{_FILE} {path} can be read or written by everyone on this machine",
            f"Run `chmod 600 {path}`; in a Kubernetes volume set `defaultMode: 0440`.",
            code="SecretExposed",
        )
    try:
        options = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise UsageError(f"{_FILE} {path} is not JSON or YAML{line}", code="InvalidStorageOptions") from None
    if not isinstance(options, dict) or not all(isinstance(name, str) for name in options):
        raise UsageError(f"{_FILE} {path} is not a mapping of option names to values", code="InvalidStorageOptions")
    return options


def fingerprint(settings: Storage) -> str:
    """Text that is equal for equal settings, without secrets; a key for caches within one process."""
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True)


def environment() -> int:
    """Return a hash of the variables that cloud libraries read, so that a corrected one is used immediately."""
    return hash(frozenset(pair for pair in os.environ.items() if pair[0].startswith(("AWS_", "GOOGLE_", "STORAGE_"))))


def is_emulated_gs(settings: Storage) -> bool:
    """Return whether `gs://` is served by something other than Google."""
    return bool(settings.endpoint or os.environ.get("STORAGE_EMULATOR_HOST"))


def _s3(settings: Storage) -> Options:
    client: Options = {}
    # boto reads AWS_DEFAULT_REGION only; all other tools of AWS prefer this one.
    if region := os.environ.get("AWS_REGION"):
        client["region_name"] = region
    if settings.ca_bundle:
        client["verify"] = settings.ca_bundle
    options: Options = {
        "anon": settings.anonymous,
        "requester_pays": settings.requester_pays,
        "client_kwargs": client,
        # Retries are retry.py's alone, or they multiply.
        "config_kwargs": {
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": 10,
            "read_timeout": 60,
            "max_pool_connections": 32,
        },
    }
    if settings.endpoint:
        options["endpoint_url"] = settings.endpoint
    if settings.profile:
        options["profile"] = settings.profile
    if settings.kms_key:
        options["s3_additional_kwargs"] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}
    return options


def _gs(settings: Storage) -> Options:
    options: Options = {"requester_pays": settings.requester_pays}
    if settings.endpoint:
        options["endpoint_url"] = settings.endpoint
    # Without this an emulator's user waits for the search for Google's own identities to fail.
    if settings.anonymous or (is_emulated_gs(settings) and "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ):
        options["token"] = "anon"  # noqa: S105 - a mode, not a token
    return options


def _other(settings: Storage) -> Options:
    for name in ("endpoint", "anonymous", "profile", "requester_pays", "kms_key", "ca_bundle"):
        if getattr(settings, name):
            raise UsageError(
                f"--{name.replace('_', '-')} (storage.{Storage.model_fields[name].alias or name}) is for s3:// and gs:// only",
                f"Give the file system's own option in {_FILE}.",
                code="InvalidStorageOptions",
            )
    return {}


def _named_options(protocol: str, options: Mapping[str, Any]) -> Options:
    """`options`, with `region` where S3's client looks for it."""
    named = dict(options)
    if protocol == "s3" and "region" in named:
        named["client_kwargs"] = {**named.get("client_kwargs", {}), "region_name": named.pop("region")}
    return named


def _merged(base: Options, over: Options) -> Options:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged

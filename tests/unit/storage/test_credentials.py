from __future__ import annotations

from pathlib import Path

import pytest

from scoremill.errors import UsageError
from scoremill.spec import Storage
from scoremill.storage.credentials import environment, fsspec_options, read_options_file


def options_file(folder: Path, text: str, mode: int = 0o600) -> str:
    file = folder / "options.yaml"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_a_file_of_options_lies_over_the_settings_and_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    path = options_file(tmp_path, "{key: k, secret: s, config_kwargs: {read_timeout: 5}, region: eu-west-1}")
    options = fsspec_options("s3", Storage(options_file=path, ca_bundle="/ca.pem", endpoint="http://m:9000"))
    assert (options["key"], options["secret"], options["endpoint_url"]) == ("k", "s", "http://m:9000")
    assert options["config_kwargs"]["read_timeout"] == 5
    assert options["config_kwargs"]["retries"]["total_max_attempts"] == 1
    assert options["client_kwargs"] == {"verify": "/ca.pem", "region_name": "eu-west-1"}


@pytest.mark.parametrize("protocol", ["s3", "gs", "memory"])
def test_nothing_is_cached_that_another_process_can_change(protocol: str) -> None:
    assert fsspec_options(protocol, Storage())["use_listings_cache"] is False


def test_a_world_readable_file_is_refused_with_the_command_that_fixes_it(tmp_path: Path) -> None:
    path = options_file(tmp_path, "{key: k}", 0o644)
    with pytest.raises(UsageError, match="everyone") as raised:
        read_options_file(path)
    assert raised.value.hint and f"chmod 600 {path}" in raised.value.hint
    assert read_options_file(options_file(tmp_path, "{key: k}", 0o440)) == {"key": "k"}


@pytest.mark.parametrize("text", ["secret: hush\n  key: [", "- hush", "hush", "1: hush", "{secret: hush"])
def test_a_malformed_file_is_never_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"JSON or YAML|mapping") as raised:
        read_options_file(options_file(tmp_path, text))
    assert "hush" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        read_options_file(str(tmp_path / "nowhere"))


def test_aws_region_counts_before_the_variable_that_boto_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert fsspec_options("s3", Storage())["client_kwargs"] == {}
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert fsspec_options("s3", Storage())["client_kwargs"] == {"region_name": "eu-north-1"}


def test_emulators_of_google_are_not_asked_for_an_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "token" not in fsspec_options("gs", Storage())
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://localhost:1")
    assert fsspec_options("gs", Storage())["token"] == "anon"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
    assert "token" not in fsspec_options("gs", Storage())


def test_the_environment_of_the_clouds_is_noticed_and_other_variables_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment()
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert environment() == before
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert environment() != before

"""Write the pages that are made from code: the command line, job, schedule and status, and their JSON schemas.

python docs/generate.py            write them
python docs/generate.py --check    say which of those in the tree are old (exit 1), write nothing
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_line
from scoremill.errors.registry import ErrorCode, error_codes
from scoremill.spec import ScoringJob
from scoremill.spec.resources.schedule import ScheduleStatus, ScoringSchedule
from scoremill.spec.resources.status import REASON_OF_CODE, JobStatus, Reason
from scoremill.units import format_bytes

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTICE = "<!-- Made by docs/generate.py. Change the code, then `make generate`. -->"

Schema = dict[str, Any]


def pages() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    schema = ScoringJob.model_json_schema(by_alias=True)
    schedule = ScoringSchedule.model_json_schema(by_alias=True)
    return {
        REFERENCE / "cli.md": command_line.page(NOTICE),
        REFERENCE / "errors.md": errors_page(),
        REFERENCE / "job.md": fields_page("The job", schema),
        REFERENCE / "job.schema.json": json.dumps(schema, indent=2) + "\n",
        REFERENCE / "schedule.md": fields_page("The schedule", schedule),
        REFERENCE / "schedule.schema.json": json.dumps(schedule, indent=2) + "\n",
        REFERENCE / "status.md": status_page(),
    }


def errors_page() -> str:
    """The exit codes, and every error code with cause, example and fix."""
    lines = ["# Errors", "", NOTICE, "", ERRORS_INTRODUCTION, "", "## Exit codes", ""]
    lines += [
        "| exit code | meaning |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()),
    ]
    lines += ["", "## Error codes", ""]
    for entry in error_codes().values():
        lines += [
            f"### {entry.code}",
            "",
            entry.cause,
            "",
            "```text",
            f"error[{entry.code}]: {entry.example}",
            "```",
            "",
        ]
        lines += [entry.fix, "", f"Exit code {entry.exit_code}; {reason_text(entry)}", ""]
    return "\n".join(lines)


ERRORS_INTRODUCTION = """Every error has a code that stays the same in all releases. The command line prints it as `error[CODE]: MESSAGE`,
followed by a hint; `--json` prints `code`, `message`, `hint`, and `exitCode`; a failed ScoringJob has it in
`status.failure.code`. `scoremill explain CODE` prints the same text as this page."""
EXIT_CODES = {
    0: "The command succeeded.",
    1: "Internal error. Please report it.",
    2: "The command or the job cannot be run as specified.",
    3: "The model and the input do not fit together.",
    4: "More rows or objects were rejected than the job allows.",
    5: "A store rejected a request, or could not be reached.",
    6: "The Dask cluster or Kubernetes failed, or another run holds the output.",
    7: "The output or the bundle failed verification.",
    130: "Interrupted by Ctrl-C or SIGTERM. Completed partitions are saved.",
}


def reason_text(entry: ErrorCode) -> str:
    """The reason in the status of a job that fails with this code."""
    reason = entry.reason or REASON_OF_CODE.get(entry.exit_code, Reason.DRIVER_FAILED)
    return f"reason in the status of a job: `{reason}`."


def fields_page(title: str, schema: Schema) -> str:
    """Tables of all fields of a file; each kind of object once, with the places where a file holds it."""
    return "\n".join([f"# {title}", "", NOTICE, "", *tables(schema, schema["description"], "##")])


def tables(schema: Schema, description: str, level: str) -> list[str]:
    """`description`, the table of the root's fields, and at `level` that of each object below it."""
    lines = [description, "", *fields_table(schema)]
    places: dict[str, list[str]] = {}
    for name, place in objects(schema, schema, ""):
        places.setdefault(name, []).append(f"`{place}`")
    for name, where in places.items():
        definition = schema["$defs"][name]
        words = f"{', '.join(where)}: {definition['description']}"
        lines += [f"{level} {name}", "", words, "", *fields_table(definition)]
    return lines


def status_page() -> str:
    """Tables of the fields of both statuses, and the reasons of conditions and failures."""
    lines = ["# The status", "", NOTICE, "", "What `kubectl get -o yaml` shows below `status`: all that is known.", ""]
    for kind, status in (("ScoringJob", JobStatus), ("ScoringSchedule", ScheduleStatus)):
        schema = status.model_json_schema(by_alias=True, mode="serialization")
        lines += [f"## Status of a {kind}", "", *tables(schema, schema["description"], "###")]
    rows = [f"| `{reason}` | {reason.meaning} |" for reason in Reason]
    return "\n".join(
        [*lines, "## Reasons", "", "Of conditions and failures.", "", "| reason | |", "|---|---|", *rows, ""]
    )


def objects(schema: Schema, definition: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Name and place in the file of every object below `definition`."""
    for field, content in definition["properties"].items():
        for choice in [content, *content.get("anyOf", []), content.get("items", {})]:
            if "$ref" in choice:
                place = f"{path}.{field}".lstrip(".")
                yield name_of(choice), place
                yield from objects(schema, schema["$defs"][name_of(choice)], place)


def name_of(reference: Schema) -> str:
    """The name of the definition that is referred to."""
    return str(reference["$ref"]).rsplit("/", 1)[1]


def fields_table(definition: Schema) -> list[str]:
    """A row for each field: name, type, default, meaning."""
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    required = definition.get("required", [])
    for name, field in definition["properties"].items():
        default = "required" if name in required and "readOnly" not in field else default_of(field)
        rows.append(f"| `{name}` | {type_of(field)} | {default} | {field.get('description', '')} |")
    return [*rows, ""]


def default_of(field: Schema) -> str:
    """Return the default in YAML, or nothing if there is none or if it is an object with a section of its own."""
    value = field.get("default")
    if value is None or value == "" or isinstance(value, dict):
        return ""
    if "x-kubernetes-int-or-string" in field:
        return code(format_bytes(value).replace(" ", ""))
    if isinstance(value, list):
        return "see the schema" if len(value) > 4 else code(json.dumps(value))
    return code(value if isinstance(value, str) else json.dumps(value))


def code(text: str) -> str:
    """`text` as code inside a table's cell."""
    escaped = text.replace("|", "\\|")
    return f"`` {escaped} ``" if "`" in text else f"`{escaped}`"


def type_of(field: Schema) -> str:
    """What a field takes, in words."""
    if "x-kubernetes-int-or-string" in field:
        return "size"
    if field.get("format") == "date-time":
        return "time"
    if "anyOf" in field:
        return " or ".join(type_of(choice) for choice in field["anyOf"] if choice.get("type") != "null")
    if "$ref" in field:
        return f"[{name_of(field)}](#{name_of(field).lower()})"
    if "enum" in field or "const" in field:
        return ", ".join(code(str(value)) for value in field.get("enum", [field.get("const")]))
    match field.get("type"):
        case "array":
            return f"list of {type_of(field['items'])}s"
        case "object" if isinstance(field.get("additionalProperties"), dict):
            return f"map to {type_of(field['additionalProperties'])}s"
        case kind:
            return str(kind)


def main() -> None:
    """Write, or with `--check` compare."""
    old = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in old:
            print(f"{path.relative_to(REFERENCE.parent.parent)} is old: make generate", file=sys.stderr)
        sys.exit(bool(old))
    REFERENCE.mkdir(exist_ok=True)
    for path in old:
        path.write_text(pages()[path])


if __name__ == "__main__":
    main()

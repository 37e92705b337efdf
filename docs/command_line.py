"""The page of the command line: the help of every command, with options that commands share listed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from scoremill.cli import app
from scoremill.cli.flags.table import FLAGS, KUBERNETES

SHARED = {
    "Model options": "spec.model.",
    "CSV options": "spec.input.csv.",
    "Input options": "spec.input.",
    "Output options": "spec.output.",
    "Options for rejected rows": "spec.errors.",
    "Storage options": "spec.storage.",
}
"""Groups of options, each with the place of its fields in a job file; an option is in the first that fits."""
WIDTH = 100
Records = list[tuple[str, str]]


def page(notice: str) -> str:
    """Return the page in Markdown."""
    root = click.Context(app, info_name="scoremill", terminal_width=WIDTH)
    every = list(commands(app, root))
    groups = shared_options(every)
    lines = [
        "# Command line",
        "",
        notice,
        "",
        "[Options that several commands share](#shared-options) are listed once.",
        "",
    ]
    for path, command, context in every:
        lines += [f"## {path}", "", *section(command, context, groups)]
    lines += ["## Shared options", ""]
    for title, records in groups.items():
        lines += [f"### {title}", "", *block(records), ""]
    return "\n".join(lines)


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield `command` and everything below it, each with its full name, in the order that `--help` lists them."""
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            if not child.hidden:
                yield from commands(child, click.Context(child, info_name=name, parent=context, terminal_width=WIDTH))


def shared_options(every: Sequence[tuple[str, click.Command, click.Context]]) -> dict[str, Records]:
    """Return the options of each group, as the first command that has all of them describes them."""
    names: dict[str, list[str]] = {title: [] for title in SHARED}
    for flag in FLAGS:
        title = next((title for title, place in SHARED.items() if flag.path.startswith(place)), None)
        if title is not None:
            names[title].append(flag.name.split("/")[0])
    names["Kubernetes options"] = ["--namespace", "--context", "--kubeconfig"]
    names["Options of jobs on Kubernetes"] = [flag.name for flag in KUBERNETES]
    found = {}
    for title, group in names.items():
        known = (described(command, context, group) for _, command, context in every)
        found[title] = next(records for records in known if len(records) == len(group))
    return found


def described(command: click.Command, context: click.Context, names: Sequence[str]) -> Records:
    """Return name and help of those options of a command that `names` has."""
    options = [option for option in command.get_params(context) if set(option.opts) & set(names)]
    return [record for option in options if (record := option.get_help_record(context))]


def section(command: click.Command, context: click.Context, groups: dict[str, Records]) -> list[str]:
    """Return usage, text and own options of a command, and links to the groups of which it has most options."""
    options = [option for option in command.get_params(context) if isinstance(option, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    lacks = {title: [record for record in group if record not in records] for title, group in groups.items()}
    has = [title for title, group in groups.items() if 2 * len(lacks[title]) < len(group)]
    shared = [record for title in has for record in groups[title]]
    if context.parent:
        shared.append(("--help", "Show this message and exit."))
    formatter = context.make_formatter()
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    with formatter.section("Options"):
        formatter.write_dl([record for record in records if record not in shared] or [("--help", "Show the help.")])
    if isinstance(command, click.Group):
        command.format_commands(context, formatter)
    text = ["```text", formatter.getvalue().rstrip("\n"), "```", ""]
    links = [f"[{title}](#{title.lower().replace(' ', '-')}){_without(lacks[title])}" for title in has]
    return [*text, f"Shared options: {', '.join(links)}.", ""] if links else text


def _without(lacks: Records) -> str:
    """Return a note that names the options of a group that a command does not have."""
    return f" (not {', '.join(f'`{name.split()[0]}`' for name, _ in lacks)})" if lacks else ""


def block(records: Records) -> list[str]:
    """Return options as `--help` shows them."""
    formatter = click.HelpFormatter(width=WIDTH)
    with formatter.indentation():
        formatter.write_dl(records)
    return ["```text", formatter.getvalue().rstrip("\n"), "```"]

"""Help of commands with many options: sections, by the part of the job that an option gives."""

from __future__ import annotations

import click

from .table import FLAGS, KUBERNETES

_PARTS = {
    "Model": ("spec.model.",),
    "CSV": ("spec.input.csv.",),
    "Input": ("spec.input.",),
    "Output": ("spec.output.",),
    "Rejected rows": ("spec.errors.",),
    "Storage": ("spec.storage.",),
    "Workers": ("spec.cluster", "spec.credentials."),
}
"""The places in a job file of each section's options; an option is in the first section that fits."""
_ORDER = ("Model", "Input", "CSV", "Output", "Rejected rows", "Workers", "Storage", "Cluster", "Options")
_CLUSTER = {"cluster", "dataset", "namespace", "context", "kubeconfig"}


class Sectioned(click.Command):
    """A command whose help has its options in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in _ORDER}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
            if record is not None:
                sections[_section(option.name or "")].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _section(parameter: str) -> str:
    if parameter in _CLUSTER:
        return "Cluster"
    path = next((flag.path for flag in (*FLAGS, *KUBERNETES) if flag.parameter == parameter), "")
    return next((title for title, places in _PARTS.items() if path.startswith(places)), "Options")

"""The job, defined once: job files, `scoremill.job`, the custom resource, JSON schema and reference come from here."""

from .build import job
from .cluster import Cluster, Credentials, Deadlines, Retry, SecretRef, Workers
from .columns import Column, KeptColumn, Missing
from .dates import EPOCHS, ISO
from .gap import Gap
from .input import NULL_VALUES, Csv, EarlierOutput, Input
from .job import API_VERSION, JobSpec, Metadata, ScoringJob
from .load import load_job, merge, parse_job, read_yaml
from .model import Method, Model
from .output import CsvFormulas, Errors, Format, Output
from .storage import Storage
from .where import RowCondition

__all__ = [
    "API_VERSION",
    "EPOCHS",
    "ISO",
    "NULL_VALUES",
    "Cluster",
    "Column",
    "Credentials",
    "Csv",
    "CsvFormulas",
    "Deadlines",
    "EarlierOutput",
    "Errors",
    "Format",
    "Gap",
    "Input",
    "JobSpec",
    "KeptColumn",
    "Metadata",
    "Method",
    "Missing",
    "Model",
    "Output",
    "Retry",
    "RowCondition",
    "ScoringJob",
    "SecretRef",
    "Storage",
    "Workers",
    "job",
    "load_job",
    "merge",
    "parse_job",
    "read_yaml",
]

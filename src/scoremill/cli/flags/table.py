"""The table of flags: the fields of a job that people give every day. `--set` gives all others."""

from __future__ import annotations

from .flag import MANY, SWITCH, Flag, Pairs, choice, names, workers

FLAGS = (
    Flag("--model", "spec.model.uri", "Path or URI of the model bundle.", metavar="URI"),
    Flag("--digest", "spec.model.digest", "Required digest of the bundle (sha256:…).", metavar="DIGEST"),
    Flag(
        "--trust",
        "spec.model.trustedPrefixes",
        "URI prefix below which bundles are loaded without a digest.",
        names,
        MANY,
        metavar="URI",
    ),
    Flag(
        "--method",
        "spec.model.method",
        "Method of the model to call. Defaults to the method of the bundle.",
        settings=choice(
            "predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples"
        ),
    ),
    Flag(
        "--accelerate",
        "spec.model.accelerate",
        "Run proven steps of the model once for each distinct row, or the original.  [default: Auto]",
        settings=choice("Auto", "Off"),
    ),
    Flag(
        "--parity",
        "spec.model.parityRows",
        "Minimum number of rows to score with the original model as well; fail if results differ.",
        settings={"type": int},
        metavar="N",
    ),
    Flag(
        "--input",
        "spec.input.uris",
        "Path, URI, or glob of CSV or Parquet files. Can be given several times.",
        list,
        MANY,
        metavar="URI",
    ),
    Flag(
        "--rename",
        "spec.input.rename",
        "Rename columns: the name in the input, then the model's: Mean_Radius='mean radius'.",
        Pairs("--rename", "OLD=NEW", "only"),
        MANY,
        metavar="OLD=NEW",
    ),
    Flag(
        "--where",
        "spec.input.where",
        "Score only rows that meet a condition: fare > 0 and vendor in ('A', 'B').",
        metavar="CONDITION",
    ),
    Flag(
        "--delimiter",
        "spec.input.csv.delimiter",
        "Character between fields; \\t is a tab.  [default: ,]",
        lambda text: text.replace("\\t", "\t"),
        metavar="CHAR",
    ),
    Flag("--encoding", "spec.input.csv.encoding", "Encoding of CSV files.  [default: utf-8]", metavar="NAME"),
    Flag(
        "--header/--no-header",
        "spec.input.csv.header",
        "Whether the first row of CSV files contains the column names.",
        settings={"default": None},
    ),
    Flag(
        "--names",
        "spec.input.csv.columns",
        "Column names of CSV files without a header: a,b,c.",
        names,
        MANY,
        metavar="COLUMNS",
    ),
    Flag(
        "--dtypes",
        "spec.input.csv.dtypes",
        "Types of columns: fare=float64,vendor=string.",
        Pairs("--dtypes", "COLUMN=TYPE"),
        MANY,
        metavar="COLUMN=TYPE",
    ),
    Flag("--output", "spec.output.uri", "Path or URI of the folder to write to.", metavar="URI"),
    Flag(
        "--format",
        "spec.output.format",
        "Format of the output.  [default: parquet]",
        settings=choice("parquet", "csv", "jsonl"),
    ),
    Flag(
        "--mode",
        "spec.output.mode",
        "What to do if the output exists: resume, fail, or overwrite.  [default: Resume]",
        settings=choice("Resume", "ErrorIfExists", "Overwrite"),
    ),
    Flag(
        "--keep",
        "spec.output.keep",
        "Input columns to copy to the output: a,b, or '*' for all.",
        names,
        MANY,
        metavar="COLUMNS",
    ),
    Flag(
        "--columns",
        "spec.output.columns",
        "Result columns to write, and their names: 1=yhat, or proba_1=yhat.",
        Pairs("--columns", "RESULT=NAME"),
        MANY,
        metavar="RESULT=NAME",
    ),
    Flag("--row-id", "spec.output.rowId", "Write the origin of each row: its object and position.", settings=SWITCH),
    Flag(
        "--on-row-error",
        "spec.errors.onRowError",
        "Write rows that cannot be scored to _errors/, or fail the run.  [default: Reject]",
        settings=choice("Reject", "Fail"),
    ),
    Flag(
        "--max-errors",
        "spec.errors.maxRows",
        "Maximum number of rejected rows; the run fails if there are more.",
        settings={"type": int},
        metavar="N",
    ),
    Flag(
        "--max-error-fraction",
        "spec.errors.maxFraction",
        "Maximum fraction of rejected rows; the run fails if it is exceeded.  [default: 0.01]",
        settings={"type": float},
        metavar="FRACTION",
    ),
    Flag("--name", "metadata.name", "Name of the job.", metavar="NAME"),
    Flag(
        "--workers",
        "spec.cluster",
        "Number of workers, or a range such as 1:20. Defaults to one per core, or one on Kubernetes.",
        workers,
        several=("workers", "maxWorkers"),
        metavar="N|MIN:MAX",
    ),
    Flag("--memory", "spec.cluster.memory", "Memory of a worker, such as 2GiB.", metavar="SIZE"),
    Flag("--endpoint", "spec.storage.endpoint", "URL of an S3- or GCS-compatible service.", metavar="URL"),
    Flag("--anonymous", "spec.storage.anonymous", "Read public data without credentials.", settings=SWITCH),
)

KUBERNETES = (
    Flag(
        "--cpu", "spec.cluster.cpu", "CPU cores of a worker pod.  [default: 1]", settings={"type": float}, metavar="N"
    ),
    Flag(
        "--service-account",
        "spec.cluster.serviceAccount",
        "Service account of driver and workers, for workload identity.",
        metavar="NAME",
    ),
    Flag(
        "--image",
        "spec.cluster.image",
        "Container image of driver, scheduler, and workers. Defaults to that of the operator.",
        metavar="IMAGE",
    ),
    Flag(
        "--secret",
        "spec.credentials.secretRef.name",
        "Secret with storage credentials, whose keys become environment variables of the pods.",
        metavar="NAME",
    ),
)
"""Flags of a job that mean something on Kubernetes only."""

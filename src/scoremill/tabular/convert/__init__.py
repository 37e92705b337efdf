"""Values of inputs as models and outputs want them. The table: docs/reference/conversions.md."""

from .columns import convert_column
from .frame import Converted, to_frame
from .infer import infer_dtypes
from .keep import carry
from .types import arrow_dtypes, arrow_type, kept_as, kept_type, wider_of

__all__ = [
    "Converted",
    "arrow_dtypes",
    "arrow_type",
    "carry",
    "convert_column",
    "infer_dtypes",
    "kept_as",
    "kept_type",
    "to_frame",
    "wider_of",
]

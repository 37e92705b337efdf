"""Values of inputs as models and outputs want them. The table: docs/reference/conversions.md."""

from .columns import convert_column
from .frame import Converted, to_arrow, to_frame
from .infer import infer_dtypes
from .types import arrow_dtypes, arrow_type

__all__ = ["Converted", "arrow_dtypes", "arrow_type", "convert_column", "infer_dtypes", "to_arrow", "to_frame"]

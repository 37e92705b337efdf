"""Objects whose data Arrow cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from scoremill.errors import InputError

from .memory import is_out_of_memory


@contextmanager
def damage_reported(uri: str) -> Iterator[None]:
    """Inside, what Arrow raises for damaged data is an InputError that names the object at `uri`."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if is_out_of_memory(error) or (isinstance(error, OSError) and error.errno):
            raise
        # Arrow reports damaged data as an OSError without a number too.
        raise InputError(
            f"{uri} is damaged: {error}", "Upload it again, or leave it out.", code="InputDamaged"
        ) from None

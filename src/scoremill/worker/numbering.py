"""Line numbers of rejected rows whose partition was scored before the number of its first line was known."""

from __future__ import annotations

from dataclasses import replace

import orjson

from scoremill.ledger import Part, Receipt
from scoremill.storage.filesystem import Store

LINE_IN_PARTITION = "lineInPartition"
"""Key of the line in the partition, from 0, while the line in the file is not known."""


def number_lines(store: Store, receipt: Receipt, first_line: int) -> Receipt:
    """Publish the rejected rows of a partition again, with lines of the file, and return the new receipt.

    `first_line` is the line of the file, from 1, at which the partition starts.
    """
    errors = tuple(_numbered(store, part, first_line) for part in receipt.errors)
    # starts=0: the partition was not started again.
    return replace(receipt, errors=errors, first_line=first_line, starts=0)


def _numbered(store: Store, part: Part, first_line: int) -> Part:
    with store.open(part.name) as file, store.publish(part.name) as stream:
        for text in file:
            record = orjson.loads(text)
            if (line := record.pop(LINE_IN_PARTITION, None)) is not None:
                record["line"] = first_line + line
            stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        stream.close()
    return Part(part.name, part.rows, stream.size, stream.sha256)

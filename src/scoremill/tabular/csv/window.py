"""The bytes of a file that are at hand, moving forwards."""

from __future__ import annotations

from ..rows import ByteSource


class Window:
    """`text` is the file's bytes from `at` on; `is_final` where it reaches to the end of the file."""

    def __init__(self, source: ByteSource, at: int) -> None:
        self.text = b""
        self.at = at
        self.is_final = source.size is not None and at >= source.size
        self._source = source

    def read(self, end: int) -> None:
        """Grows to byte `end` of the file, or to its end."""
        start, size = self.at + len(self.text), self._source.size
        stop = end if size is None else min(end, size)
        if stop <= start or self.is_final:
            return
        more = self._source.read(start, stop)
        self.text = self.text + more if self.text else more
        self.is_final = len(more) < stop - start or stop == size

    def drop(self, count: int) -> None:
        """Lets go of the first `count` bytes."""
        self.text, self.at = self.text[count:], self.at + count

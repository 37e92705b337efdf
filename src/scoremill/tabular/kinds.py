"""Files that are taken for text and are something else, named as what they are."""

from __future__ import annotations

import codecs
import re

from scoremill.errors import InputError
from scoremill.storage.compression import SUFFIXES, compression_of

_READ = "Objects compressed with gzip, bzip2, xz or zstd are read as they are."
_ICONV = "Convert it to UTF-8: iconv -f {0} -t UTF-8 in.csv > out.csv"

_KINDS: tuple[tuple[str, str, str], ...] = (
    (r"PK\x03\x04.*xl/", "an Excel workbook", "Save its sheet as CSV UTF-8."),
    (r"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old format (.xls)", "Save its sheet as CSV UTF-8."),
    (r"PK(?:\x03\x04|\x05\x06)", "a zip archive", f"Extract the CSV: unzip -p in.zip > out.csv. {_READ}"),
    (r"7z\xbc\xaf\x27\x1c", "a 7z archive", f"Extract the CSV. {_READ}"),
    (r".{257}ustar", "a tar archive", f"Extract the CSVs: tar -xf in.tar. {_READ}"),
    (
        r"PAR1[\x00-\x1f]",
        "a Parquet file",
        "Read it as Parquet: `spec.input.format: parquet`, or a name that ends in .parquet.",
    ),
    (r"Obj\x01", "an Avro file", "Convert it to Parquet or CSV."),
    (
        r"ORC.*\x00",
        "an ORC file",
        "Convert it to Parquet: pyarrow.parquet.write_table(pyarrow.orc.read_table('in.orc'), 'out.parquet')",
    ),
    (
        r"ARROW1\x00",
        "an Arrow (Feather) file",
        "Convert it to Parquet: pyarrow.parquet.write_table(pyarrow.feather.read_table('in.feather'), 'out.parquet')",
    ),
)
"""First bytes of kinds of files, what those are called, and how to get CSV or Parquet from them."""
_COMPILED = [(re.compile(magic.encode("latin-1"), re.DOTALL), name, hint) for magic, name, hint in _KINDS]
_UTF_16 = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_UTF_32 = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32"}
_LOOKED_AT = 4096


class CompressedError(InputError):
    """An input object is compressed, and was taken for one that is not."""

    code = "WrongFormat"


def refuse_other_kinds(name: str, head: bytes, *, is_decoded: bool) -> None:
    """Raise InputError if `head`, the beginning of an object, is not that of a text in which a newline is one byte.

    CompressedError if it is compressed, unless `is_decoded` already.
    """
    compression = compression_of(head)
    if compression and is_decoded:
        raise InputError(
            f"{name} is compressed twice, at last with {compression}", "Decompress it once.", code="WrongFormat"
        )
    if compression:
        *others, last = SUFFIXES
        suffixes = f"{', '.join(others)} or {last}"
        raise CompressedError(
            f"{name} is compressed with {compression}, which its name does not say",
            f"Rename it to end in {suffixes}, or score it in a job of its own.",
        )
    for magic, kind, hint in _COMPILED:
        if magic.match(head[:_LOOKED_AT]):
            raise InputError(f"{name} is {kind}, not a CSV", hint, code="WrongFormat")
    encoding = _wide_encoding(head)
    if encoding:
        raise InputError(
            f"{name} is {encoding}, in which a newline is not one byte", _ICONV.format(encoding), code="WrongEncoding"
        )


def _wide_encoding(head: bytes) -> str | None:
    """Return UTF-16 or UTF-32, recognized by the byte order mark or by the NULs next to ASCII characters."""
    for mark, encoding in (*_UTF_32.items(), *_UTF_16.items()):
        if head.startswith(mark):
            return encoding
    sample = head[:256]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half >= 4 and max(even, odd) > 0.8 * half and min(even, odd) == 0:
        return "UTF-16LE" if odd else "UTF-16BE"
    return None

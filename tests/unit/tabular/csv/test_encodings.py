from __future__ import annotations

import pytest

from scoremill.spec import Csv
from tests.unit.tabular.csv.reading import read_cut
from tests.unit.tabular.csv.test_cuts import check

TEXT = 'größe,b\nä,"ö\nü"\n"ß, ""é""",x\n'


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "utf-8-sig", "UTF8", "mac-roman"])
def test_rows_of_any_encoding_cut_at_any_byte(encoding: str) -> None:
    data = TEXT.encode(encoding)
    for cut in range(1, len(data) + 1):
        read = check(data, cut, 7, Csv(encoding=encoding, null_values=()))
        assert read.values == [["ä", "ö\nü"], ['ß, "é"', "x"]]


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "big5", "euc_kr"])
def test_encodings_of_two_bytes_cut_in_the_middle_of_characters(encoding: str) -> None:
    sample = {"shift_jis": "表示ソ", "gb18030": "中文字€", "big5": "許功蓋", "euc_kr": "가나다"}[encoding]
    data = f'{sample},b\n{sample},"{sample}\n{sample}"\n"{sample}",{sample}\n'.encode(encoding)
    for cut in range(1, len(data) + 1):
        read = check(data, cut, 5, Csv(encoding=encoding, null_values=()))
        assert read.values == [[sample, f"{sample}\n{sample}"], [sample, sample]]


def test_offsets_are_those_of_the_original_bytes() -> None:
    data = "a,b\nää,1\nöö,2\nx\n".encode("latin-1")
    read = read_cut(data, None, 1000, Csv(encoding="latin-1"))
    assert read.blocks[0].offsets().tolist() == [4, 9]
    assert read.rejects[0].offset == 14


def test_bytes_that_the_encoding_does_not_know_cost_their_row() -> None:
    read = read_cut(b"a,b\n1,\x80\n2,\x81\n3,4\n", 3, 2, Csv(encoding="cp1252", null_values=()))
    assert read.values == [["1", "€"], ["3", "4"]]
    assert [(r.reason, r.raw) for r in read.rejects] == [("not cp1252 at byte 10", b"2,\x81")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "utf-7", "iso2022_jp", "hz", "cp037"])
def test_encodings_that_cannot_be_cut_are_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="convert them to UTF-8"):
        Csv(encoding=encoding)


@pytest.mark.parametrize(("encoding", "delimiter"), [("shift_jis", "|"), ("gbk", "|"), ("johab", ";")])
def test_delimiter_that_can_be_half_a_character_is_refused(encoding: str, delimiter: str) -> None:
    with pytest.raises(ValueError, match="can be half a character"):
        Csv(encoding=encoding, delimiter=delimiter)

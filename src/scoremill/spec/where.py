"""Conditions on rows, such as `Passenger_Count > 0 and vendor_name in ("CMT", "VTS")`: parsed, never evaluated as code."""

from __future__ import annotations

import ast
import re

from scoremill.units import quoted

_NAMED = re.compile(r"`([^`]+)`")
_LOGIC = (ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not)
_COMPARISONS = (ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_VALUES = (ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List)
_ARITHMETIC = (ast.USub, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Call)
_ALLOWED = (*_LOGIC, *_COMPARISONS, *_VALUES, *_ARITHMETIC)
FUNCTIONS = ("isnull", "notnull")
"""Functions that can be called on a column."""


_DEEPEST = 100
"""Operations within each other."""


def _refuse_depth(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(
        f"the condition nests more than {_DEEPEST} operations; a list of values is written `in (1, 2, 3)`"
    )


class RowCondition:
    """A parsed condition: its syntax tree, and the columns that it names."""

    def __init__(self, text: str) -> None:
        """ValueError saying what in `text` is not understood."""
        self._quoted: dict[str, str] = {}
        try:
            self.tree = ast.parse(_NAMED.sub(self._stand_in, text.strip()), mode="eval").body
        except (RecursionError, MemoryError):
            raise _too_deep() from None
        except (SyntaxError, ValueError) as error:
            reason = getattr(error, "msg", error)
            raise ValueError(
                f"{quoted(text)} is not a condition: {reason}; such as: fare > 0 and vendor in ('A', 'B')"
            ) from None
        _refuse_depth(self.tree)
        for node in ast.walk(self.tree):
            self._refuse(node, text)
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        names = [n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name) and id(n) not in called]
        self.columns = tuple(dict.fromkeys(self.column(name) for name in names))

    def column(self, name: str) -> str:
        """The column that a name in the tree stands for: names with blanks stand in backticks."""
        return self._quoted.get(name, name)

    def _stand_in(self, match: re.Match[str]) -> str:
        name = f"_column_{len(self._quoted)}"
        self._quoted[name] = match[1]
        return name

    def _refuse(self, node: ast.AST, text: str) -> None:
        known = isinstance(node, _ALLOWED)
        if isinstance(node, ast.Call):
            plain = isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords
            known = plain and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        if not known:
            part = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            raise ValueError(
                f"{quoted(part)} in {quoted(text)} is not understood; a condition has columns, constants, comparisons, + - * /, "
                f"in, and, or, not, and {', '.join(FUNCTIONS)}(column)"
            )

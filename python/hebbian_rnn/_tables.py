"""Tables of what there is: tasks, rules, lives."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from . import _native


class Table(list[dict[str, Any]]):
    """A list of rows, each a dict, which a notebook shows as a table: `pandas.DataFrame(table)` takes it as it is."""

    def _repr_html_(self) -> str:
        def cells(kind: str, row: Sequence[Any]) -> str:
            return "".join(f"<{kind}>{escape(str(cell))}</{kind}>" for cell in row)

        if not self:
            return "<table></table>"
        rows = "".join(f"<tr>{cells('td', list(row.values()))}</tr>" for row in self)
        return f"<table><tr>{cells('th', list(self[0]))}</tr>{rows}</table>"


def tasks() -> Table:
    """The tasks and environments: `name`, usual `rule`, `summary`."""
    return Table({"name": name, "rule": rule, "summary": summary} for name, rule, summary in _native.task_table())


def rules() -> Table:
    """The learning rules of tasks and environments: `name`, `summary`."""
    return Table({"name": name, "summary": summary} for name, summary in _native.rule_table())


def lives() -> Table:
    """The lives: `name`, their `rules`, `summary`."""
    table = _native.life_table()
    return Table({"name": name, "rules": ", ".join(rules), "summary": summary} for name, rules, summary in table)

"""SQL takes what comes from outside through parameters alone.

What is put into the text of a statement is a constant of the module, or one of the pieces below,
each of which is made of constants.
"""

import ast
import re

import pytest

from models.settings import ROOT

SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WHERE|ORDER BY|VALUES)\b")
CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*")
PIECES = {
    "models/authors/listing.py": {"mine", "source", "condition", "place", "order"},
    "models/review/claims.py": {"criteria.sql()", "chosen.sql()", "skipped"},
    "models/submissions/search_conditions.py": {"asked"},
    "models/database/connection.py": {
        "chosen",
        "record",
    },  # columns of the tables' constants, with their types
    "models/privacy/erasure.py": {"mine"},
    "models/submissions/finding.py": {"', '.join(COLUMNS)", "values"},  # %s, %s
    "models/moderation/record_verdicts.py": {"names", "found"},
    "models/review/groups.py": {"QUERIES[kind]", "query"},
    "tasks/servers/postgres.py": {"password"},  # hexadecimal; ALTER ROLE takes no parameter
    "models/moderation/accept.py": {"', '.join(SUBMISSION)", "table", "names", "more"},
    "models/migrations/0008_sealed_secrets.py": {"table", "column"},  # of COLUMNS
    "models/privacy/file_removal.py": {"named"},
    "models/submissions/search.py": {
        "merged",
        "driver.by or driver.sql",
        "sql",
        "condition",
        "bucket",
    }
    | {"driver.by", "BETWEEN.format('f.submission_id')", "BETWEEN.format('id')"},
}
PACKAGES = ("models", "tasks", "webapp")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def put_in(tree):
    """Line and source of every expression that is formatted into a text that looks like SQL."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
            parts = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            text = node.left.value if isinstance(node.left, ast.Constant) else ""
            parts = [node.right]
        else:
            continue
        if isinstance(text, str) and SQL.search(text):
            nested = (ast.JoinedStr, ast.IfExp)  # looked at by themselves
            plain = [part for part in parts if not isinstance(part, nested)]
            yield from ((node.lineno, ast.unparse(part)) for part in plain)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_statements_are_made_of_constants(path):
    known = PIECES.get(str(path.relative_to(ROOT)), set())
    for line, part in put_in(ast.parse(path.read_text("utf-8"))):
        assert CONSTANT.fullmatch(part) or part in known, f"{path.name}:{line}: {part} in SQL"


def test_the_rule_finds_what_it_is_for():
    found = put_in(ast.parse('f"SELECT 1 WHERE name = {name}"; "DELETE FROM x WHERE y = %s" % y'))
    assert [part for _, part in found] == ["name", "y"]

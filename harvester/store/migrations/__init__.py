"""The history of the tables (Alembic); `REVISIONS` in order, oldest first."""

REVISIONS = ("0001", "0002", "0003", "0004")
HEAD = REVISIONS[-1]

SETTLED = "the campaign is settled: nothing more is credited"
"""What the database itself answers to a credit after the settlement."""

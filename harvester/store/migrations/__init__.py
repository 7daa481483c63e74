"""The history of the tables (Alembic); `REVISIONS` in order, oldest first."""

REVISIONS = ("0001", "0002")
HEAD = REVISIONS[-1]

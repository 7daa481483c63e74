"""A sweep counts the attempts that got nowhere, and what is asked all the time has an index of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what alerts and metrics need of a sweep, however many sweeps there are."""
    for name in ("tries", "tried_from"):
        op.add_column("sweep", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    sums = ["entry_id", "id", "pages", "requests", "new", "unliked", "returned"]
    op.create_index("ix_sweep_sums", "sweep", sums, unique=False)
    op.create_index("ix_reading_entry_sweep", "reading", ["entry_id", "sweep_id", "id"], unique=False)
    _index_some("ix_sweep_shown", "sweep", ["entry_id", "displayed_after"], where="displayed_after IS NOT NULL")
    _index_some("ix_sweep_not_shown", "sweep", ["entry_id", "touched_at"], where="displayed_after IS NULL")
    _index_some("ix_sweep_spent", "sweep", ["touched_at"], where="requests > 0")
    _index_some("ix_reading_glance", "reading", ["read_at"], where="sweep_id IS NULL")


def _index_some(name: str, table: str, columns: list[str], *, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=False, sqlite_where=condition, postgresql_where=condition)

"""A sweep counts the attempts that got nowhere, and what is asked every minute has an index of its own."""

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
    op.create_index(
        "ix_sweep_shown",
        "sweep",
        ["entry_id", "displayed_after"],
        unique=False,
        sqlite_where=sa.text("displayed_after IS NOT NULL"),
        postgresql_where=sa.text("displayed_after IS NOT NULL"),
    )
    op.create_index(
        "ix_sweep_not_shown",
        "sweep",
        ["entry_id", "touched_at"],
        unique=False,
        sqlite_where=sa.text("displayed_after IS NULL"),
        postgresql_where=sa.text("displayed_after IS NULL"),
    )

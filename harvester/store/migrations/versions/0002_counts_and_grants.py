"""Numbers that platforms show become evidence of their own, and grants are kept."""

import sqlalchemy as sa
from alembic import op

from harvester.store.migrations.append_only import refuse_changes

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what the count basis and the grants need."""
    op.add_column("entry", sa.Column("high_water", sa.BigInteger(), nullable=True))
    op.create_table(
        "reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("sweep_id", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"]),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_reading_entry_read_at", "reading", ["entry_id", "read_at"], unique=False)
    op.create_table(
        "stored_grant",
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connector"),
    )
    refuse_changes("reading")

"""What runs unattended leaves its facts: nights, alerts, holes, settlements, and when each post is polled next."""

import sqlalchemy as sa
from alembic import op

from harvester.store.migrations.append_only import refuse_changes
from harvester.store.migrations.settled import refuse_credits_after_settlement

revision = "0003"
down_revision = "0002"

_CAUSES = (
    "exhausted",
    "throttled",
    "grant_lost",
    "missing",
    "refused",
    "unstable",
    "contract_broken",
    "stopped",
    "defect",
)


def upgrade() -> None:
    """Add what the nightly job, the scheduler, settlements and alerts need."""
    op.add_column("campaign", sa.Column("floor_bytes", sa.BigInteger(), nullable=True))
    op.add_column("entry", sa.Column("displayed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("entry", sa.Column("next_poll_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("entry", sa.Column("next_poll_reason", sa.String(), nullable=True))
    op.add_column("sweep", sa.Column("cause", sa.Enum(*_CAUSES, native_enum=False, length=16), nullable=True))
    op.execute("UPDATE entry SET displayed_at = (SELECT max(read_at) FROM reading WHERE reading.entry_id = entry.id)")
    op.drop_index("ix_sweep_entry_id", "sweep")
    op.create_index("ix_sweep_entry_id", "sweep", ["entry_id", "id"], unique=False)
    _let_readings_be_glances()
    _add_facts()
    _add_alerts()
    for table in ("hole", "settlement", "night"):
        refuse_changes(table)
    refuse_credits_after_settlement()


def _let_readings_be_glances() -> None:
    """Let a number be read outside a sweep. SQLite makes the table anew for that, without its triggers."""
    with op.batch_alter_table("reading") as reading:
        reading.alter_column("sweep_id", existing_type=sa.Integer(), nullable=True)
    if op.get_bind().dialect.name == "sqlite":
        refuse_changes("reading")


def _add_facts() -> None:
    op.create_table(
        "hole",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("sweep_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unseen", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"]),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_hole_entry_id", "hole", ["entry_id"], unique=False)
    op.create_table(
        "settlement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("likes", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("reversed_likes", sa.BigInteger(), nullable=False),
        sa.Column("reversed_bytes", sa.BigInteger(), nullable=False),
        sa.Column("floor_bytes", sa.BigInteger(), nullable=False),
        sa.Column("accepted_gap", sa.String(), nullable=True),
        sa.Column("left_over", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("campaign_id"),
    )
    op.create_table(
        "night",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Enum("complete", "partial", "failed", native_enum=False, length=16), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _add_alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovery_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_alert_kind_subject", "alert", ["kind", "subject"], unique=False)

"""Triggers by which the database itself refuses a credit to a campaign that is settled, on both databases."""

from alembic import op

from harvester.store.migrations import SETTLED

_IS_CREDIT_OF_SETTLED = (
    "EXISTS (SELECT 1 FROM settlement WHERE settlement.campaign_id = NEW.campaign_id) AND "
    "EXISTS (SELECT 1 FROM account WHERE account.id = NEW.debit_id AND account.kind = 'sponsor')"
)


def refuse_credits_after_settlement() -> None:
    """Refuse every transfer from the sponsor once the campaign has its settlement.

    On PostgreSQL the check comes after the row and, by its name, after the foreign key's: that one waits for a
    settlement which is being booked, so this one sees it.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER transfer_refuses_settled BEFORE INSERT ON transfer WHEN {_IS_CREDIT_OF_SETTLED} "
            f"BEGIN SELECT RAISE(ABORT, '{SETTLED}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION transfer_refuses_settled() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {_IS_CREDIT_OF_SETTLED} THEN RAISE EXCEPTION '{SETTLED}'; END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER transfer_refuses_settled AFTER INSERT ON transfer "
        "FOR EACH ROW EXECUTE FUNCTION transfer_refuses_settled()"
    )

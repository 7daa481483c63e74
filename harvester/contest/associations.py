"""Associations, and the decisions that give each its share of a campaign."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from harvester.books.ledger import WHOLE_PPM, distribute, open_association_accounts, shares
from harvester.contest.campaigns import CampaignFacts, check_name, check_reason, check_slug
from harvester.errors import UsageError
from harvester.store.models import Allocation, Association


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationFacts:
    """An association as it is shown."""

    slug: str
    name: str
    name_ar: str | None = None
    name_fr: str | None = None
    city: str
    region: str

    def __post_init__(self) -> None:
        check_slug(self.slug)


def add_association(session: Session, new: AssociationFacts) -> None:
    """Register an association."""
    _check_names(new)
    if session.exec(select(Association.id).where(Association.slug == new.slug)).first():
        raise UsageError(f"the association slug {new.slug!r} is taken: choose another")
    session.add(
        Association(
            slug=new.slug,
            name=new.name,
            name_ar=new.name_ar,
            name_fr=new.name_fr,
            city=new.city,
            region=new.region,
        )
    )


def _check_names(new: AssociationFacts) -> None:
    """Refuse blank words; a translation may be left out."""
    whose = f"of the association {new.slug!r}"
    for what in ("name", "city", "region"):
        check_name(f"the {what} {whose}", getattr(new, what))
    for language, name in {"Arabic": new.name_ar, "French": new.name_fr}.items():
        if name is not None:
            check_name(f"the {language} name {whose}", name)


def list_associations(session: Session) -> tuple[AssociationFacts, ...]:
    """Give all associations by slug."""
    return tuple(_facts(row) for row in session.exec(select(Association).order_by(Association.slug)))


def assign_association(
    session: Session,
    campaign: CampaignFacts,
    slug: str,
    share_ppm: int | None,
    *,
    reason: str,
    author: str,
    now: datetime,
) -> int:
    """Give an association its share (None: all that is left) and move what is already credited; give the share.

    Assigning it again sets its share anew; a share of zero takes it back. The shares never exceed the whole.
    """
    check_reason(reason)
    association = _find(session, slug)
    assert association.id is not None
    others = {key: share for key, share in shares(session, campaign.id).items() if key != association.id}
    left = WHOLE_PPM - sum(others.values())
    share = left if share_ppm is None else share_ppm
    if share > left or (share_ppm is None and left == 0):
        raise UsageError(
            f"only {write_share(left)} of campaign {campaign.slug!r} is left: lower another association's share first"
        )
    open_association_accounts(session, campaign.id, association)
    session.add(
        Allocation(
            campaign_id=campaign.id,
            association_id=association.id,
            share_ppm=share,
            reason=reason,
            author=author,
            made_at=now,
        )
    )
    session.flush()
    distribute(session, campaign.id, reason=f"assigned {slug}: {reason}", author=author, at=now)
    return share


def has_share(session: Session, campaign: CampaignFacts, slug: str) -> bool:
    """Tell whether an association has a part of a campaign."""
    return _find(session, slug).id in shares(session, campaign.id)


def read_share(text: str) -> int:
    """Read '60%' or '33.3333%' as millionths."""
    written = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)\s*%", text.strip())
    share = int(Decimal(written[1]) * 10_000) if written else -1
    if not 0 <= share <= WHOLE_PPM:
        raise UsageError(f"{text!r} is not a share: expected 0% to 100%, at most four decimals, such as 60%")
    return share


def write_share(share_ppm: int) -> str:
    return f"{(Decimal(share_ppm) / 10_000).normalize():f}%"


def _find(session: Session, slug: str) -> Association:
    row = session.exec(select(Association).where(Association.slug == slug)).one_or_none()
    if row is None:
        known = session.exec(select(Association.slug).order_by(col(Association.slug))).all()
        raise UsageError(f"no association is called {slug!r} (known: {', '.join(known) or 'none yet'})")
    return row


def _facts(row: Association) -> AssociationFacts:
    return AssociationFacts(
        slug=row.slug, name=row.name, name_ar=row.name_ar, name_fr=row.name_fr, city=row.city, region=row.region
    )

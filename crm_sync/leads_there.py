"""Whose a lead in a CRM is, and what a call tells of one before its own effect does: the same for every CRM (pure)."""

from __future__ import annotations

from crm_sync.book.lifecycle import SERVICE
from crm_sync.told import CrmCall, CrmLead


def may_change(lead: CrmLead, *, is_made: bool) -> bool:
    """Whether a change here is written there: one that we made (`is_made`) follows ours.

    One that people made there changes by what a person decides here alone.
    """
    return is_made or lead.by != SERVICE


def lead_of_call(call: CrmCall, lead: int, numbers: tuple[str, ...], owner: str | None = None) -> CrmLead:
    """The lead of a call that is told of before its own effect; whose it is that one knows better than `owner`."""
    return CrmLead(
        id=lead,
        change="opened",
        party=call.party or 0,
        name=call.name,
        numbers=numbers,
        stage="new",
        step=None,
        owner=owner,
        line=call.line,
        before=None,
        after=None,
        reason=None,
        by=SERVICE,
        call=call.id,
    )

"""The table of checks, and the one function that runs it."""

from collections.abc import Sequence
from pathlib import Path

from harvester.connector import Connector
from harvester.kit import counting, hostile, links, lists, pauses, proofs, secrecy, simulated, statements, sweeps
from harvester.kit.recordings import Recordings, find_recordings
from harvester.kit.subject import Check, Finding, Report, Subject, Verdict, proofs_of

CHECKS: tuple[Check, ...] = (
    Check(name="says what it is", find=statements.says_what_it_is),
    Check(name="is installed under its own name", find=statements.is_installed_under_its_name),
    Check(name="refuses settings it does not know", find=statements.refuses_unknown_settings),
    Check(name="can be made without a credential", find=statements.needs_no_credential_to_be_made),
    Check(
        name="says where its secrets come from",
        find=statements.says_where_secrets_come_from,
        applies=statements.has_secrets,
    ),
    Check(name="imports only the vocabulary", find=statements.imports_only_the_vocabulary),
    Check(name="has recordings that can be replayed", find=proofs.has_recordings),
    Check(name="has recordings of all it can do", find=proofs.shows_everything_it_can_do, applies=proofs.is_proven),
    Check(name="states what proves it", find=statements.states_its_proofs, applies=proofs.speaks_http),
    Check(name="hides every secret it records", find=statements.hides_every_secret, applies=proofs.is_proven),
    Check(name="gives what is expected", find=proofs.gives_what_is_expected, applies=proofs.is_proven),
    Check(name="asks what was recorded", find=proofs.asks_what_was_recorded, applies=proofs.is_proven),
    Check(name="knows every form of its links", find=links.every_form_is_its_own),
    Check(name="knows one post by all its links", find=links.all_forms_are_one_post, applies=proofs.is_proven),
    Check(name="takes no lookalike for a post", find=links.knows_no_lookalike),
    Check(name="survives hostile answers", find=hostile.survives_hostile_answers, applies=proofs.speaks_http),
    Check(name="takes no error for a fact", find=hostile.takes_no_error_for_a_fact, applies=proofs.speaks_http),
    Check(name="keeps ids as they are", find=hostile.keeps_ids_as_they_are, applies=lists.names_likers),
    Check(name="sends the cursor on", find=lists.sends_its_cursor, applies=lists.has_a_next_page),
    Check(name="goes on after a short page", find=lists.goes_on_after_a_short_page, applies=lists.has_a_next_page),
    Check(name="lets a circle be noticed", find=lists.a_circle_is_noticed, applies=lists.has_a_next_page),
    Check(
        name="takes no missing list for nobody",
        find=lists.an_answer_without_the_list_is_not_nobody,
        applies=lists.names_likers,
    ),
    Check(
        name="refuses nobody beside a count",
        find=sweeps.nobody_beside_a_count_is_refused,
        applies=sweeps.has_a_recorded_list,
    ),
    Check(
        name="credits once what is read twice",
        find=sweeps.a_page_read_twice_credits_once,
        applies=sweeps.has_a_whole_list,
    ),
    Check(name="takes hidden for unknown, not zero", find=counting.hidden_is_not_zero, applies=counting.counts_likes),
    Check(name="gives a gone post no number", find=counting.a_gone_post_has_no_number, applies=counting.counts_likes),
    Check(name="obeys every pause", find=pauses.obeys_every_pause, applies=proofs.speaks_http),
    Check(name="shows no secret", find=secrecy.shows_no_secret, applies=secrecy.holds_secrets),
    Check(name="keeps secrets at home", find=secrecy.keeps_secrets_at_home, applies=secrecy.holds_secrets),
    Check(name="follows nobody elsewhere", find=secrecy.follows_nobody_elsewhere, applies=proofs.speaks_http),
    Check(name="follows no redirect", find=secrecy.redirects_lead_nowhere, applies=proofs.speaks_http),
    Check(
        name="lists rightly on a simulated platform",
        find=simulated.lists_survive_quirks,
        applies=simulated.has_simulated_list,
        simulated=True,
    ),
    Check(
        name="counts rightly on a simulated platform",
        find=simulated.counts_survive_quirks,
        applies=simulated.has_simulated_count,
        simulated=True,
    ),
)
"""In the order in which an author wants to read them: what fails first is mended first."""

_SHOWN = 5


def check_connector(
    kind: type[Connector], recordings: Recordings | Path | None = None, checks: Sequence[Check] = CHECKS
) -> Report:
    """Check a connector with recordings of a folder, or with those beside its module."""
    held = recordings if isinstance(recordings, Recordings) else find_recordings(kind, recordings)
    subject = Subject(kind=kind, recordings=held)
    findings = tuple(run(check, subject) for check in checks)
    simulated_too = any(check.simulated and check.applies(subject) for check in checks)
    return Report(
        connector=kind.name,
        findings=findings,
        scenarios=len(subject.scenarios),
        proven_by=proofs_of(subject),
        is_simulated=simulated_too,
    )


def run(check: Check, subject: Subject) -> Finding:
    """Run one check; a long list of problems is cut, and says so."""
    if not check.applies(subject):
        return Finding(check=check.name, verdict=Verdict.NOT_APPLICABLE)
    problems = tuple(dict.fromkeys(check.find(subject)))
    if not problems:
        return Finding(check=check.name, verdict=Verdict.PASSED)
    more = (f"and {len(problems) - _SHOWN} more like these",) if len(problems) > _SHOWN else ()
    return Finding(check=check.name, verdict=Verdict.FAILED, problems=problems[:_SHOWN] + more)

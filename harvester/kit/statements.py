"""What a connector says of itself: its name, its habits, what it needs, what it imports, what proves it."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

import msgspec

from harvester.collect.registry import installed
from harvester.connector import CountsLikes, NamesLikers, Secret, Traits, needs_of
from harvester.kit.recordings import HIDDEN_SECRET
from harvester.kit.replay import open_connector
from harvester.kit.subject import Subject

_MAY_IMPORT = {"harvester.connector", "httpx", "msgspec"} | sys.stdlib_module_names


def says_what_it_is(subject: Subject) -> Iterator[str]:
    kind = subject.kind
    if not kind.name.isidentifier() or not kind.name.islower():
        yield f"its name is {kind.name!r}: expected lower-case letters, digits and underscores"
    if not isinstance(kind.traits, Traits):
        yield "its `traits` are no Traits"
    for field in ("hosts", "url_forms"):
        said = getattr(kind, field, None)
        if not isinstance(said, tuple) or not all(isinstance(one, str) for one in said):
            yield f"its `{field}` are not a tuple of texts"
    if not kind.url_forms:
        yield "it shows no example of a link in `url_forms`"
    if not issubclass(kind, NamesLikers | CountsLikes):
        yield "it can do nothing: expected `fetch_page`, `fetch_counts` or both"


def is_installed_under_its_name(subject: Subject) -> Iterator[str]:
    kind = subject.kind
    for name, other in installed().items():
        if other is kind and name != kind.name:
            yield f"it is installed as {name!r} but calls itself {kind.name!r}"


def refuses_unknown_settings(subject: Subject) -> Iterator[str]:
    try:
        open_connector(subject.kind, {"no_such_setting": 1})
    except msgspec.ValidationError as error:
        if "unknown" not in str(error):
            yield f"a setting that does not exist is refused with {str(error)!r}, which does not say so"
    else:
        yield "a setting that does not exist is accepted: write forbid_unknown_fields=True"


def needs_no_credential_to_be_made(subject: Subject) -> Iterator[str]:
    try:
        open_connector(subject.kind, {})
    except (msgspec.ValidationError, ValueError) as error:
        yield f"it cannot be made without settings ({error}): raise `GrantLost` when asked, by `needed`"


def says_where_secrets_come_from(subject: Subject) -> Iterator[str]:
    known = needs_of(subject.kind.settings_type)
    for field in secret_fields(subject.kind.settings_type):
        if field not in known:
            yield f"the setting {field!r} is a secret and does not say what it is: annotate it with a Need"


def has_secrets(subject: Subject) -> bool:
    return bool(secret_fields(subject.kind.settings_type))


def secret_fields(settings_type: type[msgspec.Struct]) -> tuple[str, ...]:
    """Name the settings that hold a secret, or a table of them."""
    return tuple(name for name, hint in get_type_hints(settings_type).items() if _holds_secret(hint))


def hides_every_secret(subject: Subject) -> Iterator[str]:
    fields = secret_fields(subject.kind.settings_type)
    for name, recording in subject.scenarios.items():
        for field in fields:
            if any(text not in ("", HIDDEN_SECRET) for text in _texts(recording.settings.get(field))):
                yield f"{name}: the setting {field!r} shows what may be a secret: write {HIDDEN_SECRET}"
        for exchange in recording.exchanges:
            if HIDDEN_SECRET not in exchange.request.headers.get("authorization", HIDDEN_SECRET):
                yield f"{name}: a recorded `authorization` shows what may be a secret: write {HIDDEN_SECRET}"


def imports_only_the_vocabulary(subject: Subject) -> Iterator[str]:
    module = inspect.getmodule(subject.kind)
    assert module is not None
    yield from _foreign_imports(module.__name__, Path(inspect.getfile(subject.kind)), _package(module))


def states_its_proofs(subject: Subject) -> Iterator[str]:
    held = {each.provenance for one in subject.scenarios.values() for each in one.exchanges}
    stated = set(subject.kind.traits.proven_by)
    for proof in sorted(stated - held):
        yield f"its traits state a {proof} proof, and no exchange is {proof}"
    for proof in sorted(held - stated):
        yield f"an exchange is {proof}, which its traits' `proven_by` do not state"


def _foreign_imports(name: str, file: Path, package: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Name what a module imports beside the vocabulary, and what the shared modules beside it do."""
    for imported in _imports(ast.parse(file.read_text("utf-8")), package):
        root = imported.removeprefix(f"{package}.").partition(".")[0]
        shared = file.parent / f"{root}.py"
        if imported.startswith(f"{package}._") and shared.exists():
            if root not in seen:
                yield from _foreign_imports(f"{package}.{root}", shared, package, seen | {root})
        elif not {imported.split(".")[0], ".".join(imported.split(".")[:2])} & _MAY_IMPORT:
            yield f"{name} imports {imported}: a connector needs harvester.connector, httpx and msgspec only"


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.level or node.module == package):
            origin = package if node.module in (None, package) else f"{package}.{node.module}"
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _package(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[0] or module.__name__


def _holds_secret(hint: Any) -> bool:
    return hint is Secret or any(_holds_secret(part) for part in get_args(hint))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        yield from (text for one in value.values() for text in _texts(one))

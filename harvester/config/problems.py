"""What is wrong with settings, in one line: the key or the variable, what was expected, and no value that is secret."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

from pydantic import ValidationError

from harvester.config.sections import ENVIRONMENT_PREFIX, Settings
from harvester.errors import ConfigError

_LIST = 'expected a list in JSON, such as \'["mailto://...", "tgram://..."]\''
_TABLE = 'expected a table in JSON, such as \'{"key": "value"}\''
_EXPECTED = {
    "model_type": "expected a table",
    "dict_type": "expected a table",
    "tuple_type": _LIST,
    "path_type": "expected the path of a file",
}


def refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """A misspelt variable that is silently ignored costs a contest; pydantic ignores it."""
    sections = sorted(Settings.model_fields)
    for variable in environment:
        section, delimiter, _ = variable.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        is_meant = delimiter or section.lower().startswith(tuple(f"{known}_" for known in sections))
        if variable.startswith(ENVIRONMENT_PREFIX) and is_meant and section.lower() not in sections:
            raise ConfigError(
                f"environment: {variable} names no section (sections: {', '.join(sections)}; "
                f"expected {ENVIRONMENT_PREFIX}SECTION__KEY, with two underscores)"
            )


def refuse_unreadable_variables(environment: Mapping[str, str]) -> None:
    """What holds more than one value is JSON; pydantic would say which section is wrong, but not which variable."""
    for variable, value in environment.items():
        expected = _expected_json(variable)
        if expected and not _is_json(value):
            raise ConfigError(f"environment: {variable}: {expected}")


def first_problem(error: ValidationError, path: Path | None, environment: Mapping[str, str]) -> str:
    """Say where the first mistake is, and what was expected there."""
    problem = error.errors(include_input=False, include_url=False)[0]
    place, what = tuple(str(part) for part in problem["loc"]), _what(problem)
    if variables := sorted(_blamed(place, what, environment)):
        return f"environment: {', '.join(variables)}: {what}"
    key = "" if problem["type"] == "extra_forbidden" else f"{'.'.join(place)}: "
    return f"{path}: {key}{what}"


def _what(problem: Any) -> str:
    place, kind = problem["loc"], problem["type"]
    if kind == "extra_forbidden":
        section = Settings.model_fields.get(str(place[0]))
        known = section.annotation if section and len(place) > 1 else Settings
        key = ".".join(str(part) for part in place)
        return f"unknown key {key} (known here: {', '.join(sorted(getattr(known, 'model_fields', {})))})"
    if kind == "value_error":
        return str(problem["ctx"]["error"])
    return _EXPECTED.get(kind) or f"{problem['msg'][0].lower()}{problem['msg'][1:]}"


def _blamed(place: Sequence[str], what: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Name the variables that gave what is wrong at a place: its own, one for a whole table, or those of its parts."""
    own = f"{ENVIRONMENT_PREFIX}{'__'.join(place)}".upper()
    for variable, value in environment.items():
        name = variable.upper()
        is_whole = own.startswith(f"{name}__") and _holds(value, place[name.count("__") + 1 :])
        part = name.removeprefix(f"{own}__").lower()
        is_part = name.startswith(f"{own}__") and (len(place) > 1 or part in what)
        if name.startswith(ENVIRONMENT_PREFIX) and (name == own or is_whole or is_part):
            yield variable


def _holds(value: str, place: Sequence[str]) -> bool:
    """Tell whether the JSON of a variable gave what stands at a place within it."""
    found: Any = json.loads(value) if _is_json(value) else None
    for part in place:
        if isinstance(found, list) and part.isdecimal():
            return True
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def _expected_json(variable: str) -> str | None:
    """Say what a variable must hold that is more than one value; None where any text may do."""
    name = variable.upper()
    if not name.startswith(ENVIRONMENT_PREFIX):
        return None
    section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
    known = Settings.model_fields.get(section)
    if known and not key:
        return _TABLE
    field = getattr(known.annotation, "model_fields", {}).get(key) if known else None
    return _LIST if field and get_origin(field.annotation) is tuple else None


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True

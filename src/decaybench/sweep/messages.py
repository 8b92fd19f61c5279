"""pydantic's errors in terms of a sweep file: one line with the key, one clear rule and the value."""

import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from decaybench.sweep.values import RuleError, show

# pydantic's error type -> our rule; {...} is filled from the error's context
RULES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "finite_number": "must be finite",
    "float_type": "must be a number",
    "greater_than": "must be > {gt:g}",
    "greater_than_equal": "must be >= {ge:g}",
    "int_type": "must be a whole number",
    "less_than": "must be < {lt:g}",
    "less_than_equal": "must be <= {le:.16g}",
    "literal_error": "must be one of {expected}",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "string_type": "must be a string",
    "tuple_type": "must be a list",
}


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """The first of a model's errors as ``KEY: rule, got VALUE``, and the number of further errors."""
    errors = error.errors()
    # A misspelled key is also a missing one; the misspelling explains both.
    details = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    path = _file_path(details["loc"])
    context: dict[str, Any] = dict(details.get("ctx", {}))
    refused = context.get("error")
    if isinstance(refused, RuleError):
        path, rule = [*path, *refused.at], refused.rule
    elif details["type"] == "missing":
        rule = "required key is missing"
    elif details["type"] == "extra_forbidden":
        fields = _table(model, path).model_fields
        rule = f"unknown key; known: {', '.join(field.alias or name for name, field in fields.items())}"
    else:
        if "expected" in context:  # 'fp32', 'bf16' or 'fp64'
            context["expected"] = ", ".join(re.findall(r"'([^']*)'", context["expected"]))
        words = RULES.get(details["type"])
        rule = words.format(**context) if words else details["msg"]
        rule = f"{rule}, got {show(details['input'])}"
    line = f"{_dotted(path)}: {rule}"
    more = len(errors) - 1
    return f"{line} ({more} more error{'s' if more > 1 else ''})" if more else line


def _file_path(location: Sequence[int | str]) -> list[int | str]:
    """The path in the file, where a kind's fields are in the strategy's table (not in ``own``)."""
    path = list(location)
    if path[:1] == ["strategies"] and path[2:3] == ["own"]:
        del path[2]
    return path


def _table(model: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    for key in path[:-1]:
        annotation = model.model_fields[str(key)].annotation
        tables = (annotation, *get_args(annotation))  # an optional table is a union with None
        model = next(table for table in tables if isinstance(table, type) and issubclass(table, BaseModel))
    return model


def _dotted(path: Sequence[int | str]) -> str:
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key if re.fullmatch(r'[A-Za-z0-9_-]+', key) else show(key)}"
    return text.removeprefix(".")

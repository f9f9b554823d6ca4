"""Commands as typer makes them, but light: help in plain text by panels, values read by our own functions alone.

Rich's help and pydantic, by which typer reads values, each take longer to import than all the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    import typer

_ARGUMENTS: Final = "Arguments"
_OPTIONS: Final = "Options"


class _AsTyped:
    """Leaves a value as it stands in a line that is still being typed."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401
        return value


class _Read:
    """Reads a value by one function; what was not given and has no default is None."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401
        return None if value is None else self._read(value)


class Command(TyperCommand):
    """A command whose options are listed by panel."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """As typer does."""
        _read_lightly(self, ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Write one section a panel."""
        _write_panels(self, ctx, formatter)


class Group(TyperGroup):
    """The same with commands, which come first."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """As typer does."""
        _read_lightly(self, ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Write the commands, then one section a panel."""
        self.format_commands(ctx, formatter)
        _write_panels(self, ctx, formatter)


def _read_lightly(command: Any, context: typer.Context) -> None:  # noqa: ANN401
    """Switches, texts and what has a function of its own need no typer; a line that is completed is not read at all."""
    for param in command.get_params(context):  # the one for help among them
        if context.resilient_parsing:
            param._runtime_param = _AsTyped()
            continue
        described = getattr(param, "type_descriptor", None)  # typer's of 0.29, which reads by pydantic
        if described is None:
            continue
        read = described.parameter_info.parser
        if described.annotation is str or (described.annotation is bool and not param.envvar):
            read = read or described.annotation
        if read is not None and param.nargs == 1 and not described.is_list:
            param._runtime_param = _Read(read)


def _write_panels(command: Any, context: Any, formatter: Any) -> None:  # noqa: ANN401
    """In the order in which panels first occur, options without one last."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None:
            fallback = _ARGUMENTS if param.param_type_name == "argument" else _OPTIONS
            panels.setdefault(getattr(param, "rich_help_panel", None) or fallback, []).append(record)
    if _OPTIONS in panels:
        panels[_OPTIONS] = panels.pop(_OPTIONS)
    for name, records in panels.items():
        with formatter.section(name):
            formatter.write_dl(records)

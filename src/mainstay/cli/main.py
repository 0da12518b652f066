"""The `mainstay` command: finds the subcommand, turns errors into one sentence and a code.

Exit codes: 0 done; 1 it failed, and one sentence on stderr says why; 2 the input was wrong (an
unknown option, an invalid declaration); 130 interrupted.
"""

import importlib
import sys
from typing import Any

import click

from mainstay import __version__
from mainstay.cli.outcome import (
    FAILED,
    INTERRUPTED,
    MachineRefused,
    close_outputs,
    code_of,
    reader_gone,
    report,
)
from mainstay.core.errors import MainstayError

# Name -> (module, one line of help). A module is imported only when its command runs or is asked
# for help, so `mainstay --version` and completion stay fast.
COMMANDS = {
    "validate": ("mainstay.cli.validate", "Check declarations; every fault with file and line."),
    "explain": ("mainstay.cli.explain", "Show the policy of a dependency, value by value."),
    "schema": ("mainstay.cli.schema", "Print the JSON Schema of mainstay.yaml."),
    "up": ("mainstay.cli.up", "Run a system: proxy, replicas, supervision."),
    "down": ("mainstay.cli.down", "Stop a system; nothing of it stays behind."),
    "status": ("mainstay.cli.status", "Show services, replicas, health and traffic."),
    "logs": ("mainstay.cli.logs", "Show what the replicas wrote."),
    "trace": ("mainstay.cli.trace", "Show where the time of a request went, across services."),
    "scale": ("mainstay.cli.scale", "Change how many replicas of a service run."),
    "restart": ("mainstay.cli.restart", "Replace the replicas of a service one by one."),
    "load": ("mainstay.cli.load", "Load a URL at a constant rate, with a latency histogram."),
    "completion": ("mainstay.cli.completion", "Print the completion script for a shell."),
}


class LazyGroup(click.Group):
    """A click group whose commands live in modules of their own, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order a new user meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the words begin with, or say which one was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            # Only here: it is for mistakes alone.
            from mainstay.spec.faults import nearest

            meant = nearest(args[0], COMMANDS)
            if meant is None:
                raise
            sentence = f"no such command {args[0]!r}; did you mean {meant}?"
            raise click.UsageError(sentence, ctx) from error

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # Any: as click declares it.
    ) -> click.Context:
        """Parse the words of the command line; `--help` writes already here."""
        with reader_gone():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # Any: as click declares it.
        """Run the command."""
        with reader_gone():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="mainstay %(version)s")
def main() -> None:
    """Mainstay: run Python services behind a real proxy, from one declaration each."""


def run(argv: list[str] | None = None) -> None:
    """Run the command line and exit. ``argv`` is for tests; None takes the process's own."""
    arguments = sys.argv[1:] if argv is None else argv
    code = 0
    try:
        answer = main.main(args=arguments, prog_name="mainstay", standalone_mode=False)
        code = answer if isinstance(answer, int) else 0
    except click.exceptions.Abort:
        code = INTERRUPTED
    except (MainstayError, click.ClickException) as error:
        code = code_of(error)
        report(error, as_json="--json" in arguments)
    except OSError as error:
        code = FAILED
        report(MachineRefused.of(error), as_json="--json" in arguments)
    close_outputs()
    sys.exit(code)

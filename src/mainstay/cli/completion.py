"""`mainstay completion SHELL`: click's completion script, printed."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: add `eval "$(mainstay completion bash)"` to ~/.bashrc.
    """
    from mainstay.cli.main import main

    completion = get_completion_class(shell)
    assert completion is not None, "click knows the three shells of the choice"
    click.echo(completion(main, {}, "mainstay", "_MAINSTAY_COMPLETE").source())

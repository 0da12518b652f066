"""Run the command line as `python -m mainstay`."""

from mainstay.cli.main import run

run()

"""The `maprun` command line: a client of the AWS JSON API, and the local stack's switch."""

from maprun.cli.program import main as main

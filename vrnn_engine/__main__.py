"""`python -m vrnn_engine`: the command line where its script is not on the path."""

from vrnn_engine.cli.start import run

run()

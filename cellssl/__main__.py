"""``python -m cellssl``: the command line without its script, as launchers start it."""

from cellssl.cli import main

main()

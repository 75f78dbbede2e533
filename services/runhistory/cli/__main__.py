"""`python -m runhistory.cli`: the same as the command `runhistory`."""

from runhistory.cli.main import main

main()

"""`python -m runhistory.scheduler`: manages the nodes of one machine until it is told to stop."""

from runhistory.runtime.service import run_service
from runhistory.scheduler.service import main

if __name__ == "__main__":
    run_service("scheduler", main)

"""`python -m runhistory.worker`: one worker, until it is told to stop."""

from runhistory.runtime.service import run_service
from runhistory.worker.service import main

if __name__ == "__main__":
    run_service("worker", main)

"""`python -m runhistory.sink`"""

from runhistory.runtime.service import run_service
from runhistory.sink.service import main

if __name__ == "__main__":
    run_service("sink", main)

"""`python -m runhistory.lifecycle`"""

from runhistory.lifecycle.service import main
from runhistory.runtime.service import run_service

run_service("lifecycle", main)

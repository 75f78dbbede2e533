"""The worker: takes queued runs, prepares them, calls their scripts and reports what happened."""

"""What `bench/run_history.py` measures: one module for each group of figures."""

"""Watch: notices silence, life and idle GPUs, and tells the lifecycle by commands."""

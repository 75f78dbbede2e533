"""What every service process shares: settings, structured logs, health, its own metrics."""

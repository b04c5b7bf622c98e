"""Where leads go: settings, secret box, guard, connection test, pace, quota."""

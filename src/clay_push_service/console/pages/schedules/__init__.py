"""Pages of schedules: list, form with preview, one schedule with its next runs and its history."""

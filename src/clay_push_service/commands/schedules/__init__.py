"""The commands `clay-push schedules …`."""

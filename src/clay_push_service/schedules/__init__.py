"""Pushes at set times: schedules, their calendar, their runs, and the sweep that starts them."""

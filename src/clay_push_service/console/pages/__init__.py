"""The pages: one folder for each area, and what all pages share."""

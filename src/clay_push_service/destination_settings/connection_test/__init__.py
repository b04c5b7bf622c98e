"""The connection test: sends one sample row to a webhook, and explains at which stage it failed."""

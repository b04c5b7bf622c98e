"""The console in headless Chromium, run by `make test-browser`."""

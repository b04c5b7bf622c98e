"""The web console at `/console/`: server-rendered pages over the same functions as the API."""

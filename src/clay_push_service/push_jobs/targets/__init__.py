"""Where the leads of a push go: the destinations that a request names, or that are chosen for it."""

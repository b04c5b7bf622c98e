"""The leads of a project, a lead, the push preview, and pushes."""

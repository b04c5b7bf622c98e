"""Pages of segments, routes and the simulation of routes."""

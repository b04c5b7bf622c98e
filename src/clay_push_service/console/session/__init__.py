"""Signing in: sessions in a cookie, and the checks of every unsafe request."""

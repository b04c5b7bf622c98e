"""What several tests need; asserts nothing itself."""

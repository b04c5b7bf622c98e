"""Communication with Clay: the HTTP client for webhooks, its responses, and their meaning (outcome and cause)."""

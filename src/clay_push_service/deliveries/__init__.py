"""One lead to one destination: the Clay client, what its answer means, the delivery."""

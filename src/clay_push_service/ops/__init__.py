"""For whoever is on call: is it alive, is it ready, can it do its work, and what is to be done if not."""

"""What a user writes: params.yaml, config.yaml, and the little languages in them."""

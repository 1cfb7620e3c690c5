"""From inferred onsets to stored answers: one revision for each provider and surface that changed."""

"""Films and sounds decoded by PyAV, within limits: whatever a file claims, it ends as frames, samples or a sentence."""

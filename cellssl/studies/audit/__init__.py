"""What a protocol erases and bridges: before training, after it, and chosen from some labels."""

"""What Intel's and AMD's manuals say of walks, stated once more as their tables put it."""

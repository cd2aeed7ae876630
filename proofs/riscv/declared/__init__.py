"""What RISC-V's manual says of walks, stated once more: every level at once."""

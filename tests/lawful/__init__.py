"""A monitor that does everything right, drawn from a seed: what it does is told as a trace."""

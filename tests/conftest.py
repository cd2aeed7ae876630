"""What holds for every test."""

import signal

# A shell has its background jobs ignore SIGINT, and so does all that they start; tests send it to what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

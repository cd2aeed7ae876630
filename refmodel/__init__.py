"""refmodel: the reference model of memory virtualization, executable and provable."""

__version__ = "0.1.0"

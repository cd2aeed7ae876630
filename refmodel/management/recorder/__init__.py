"""Recording a real program's use of memory, on Linux."""

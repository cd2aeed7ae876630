"""What each event says of the tables: one function an event, and the laws judge what comes of it.

These are no operations of a monitor: an event says what *has* been done, and the tables are made to say so. Where the
mechanisms' own text has a word for a change (``plug``, ``release``, ``drop_copy``, ``mark``), that is used.
"""

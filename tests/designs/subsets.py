"""Mechanisms alone and in pairs, over any MMU: each is lawful without the others."""

from refmodel.points import over

SUBSETS = tuple(
    over("any", mechanisms)
    for mechanisms in (
        ("swapping",),
        ("dirty-logging", "swapping"),
        ("populate-on-demand", "dirty-logging"),
        ("sharing", "access-tracking", "swapping"),
        ("sharing", "guest-copies", "populate-on-demand"),
    )
)

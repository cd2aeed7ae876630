"""Names by which papers, manuals and other programs know what is explained here."""

from __future__ import annotations

from refmodel.language.nearly import slug

OTHER_NAMES = {
    # strategies, and what is beside them
    "MEB": "miss-ratio",
    "memory balancer": "miss-ratio",
    "miss-ratio curves": "miss-ratio",
    "MRC": "miss-ratio",
    "PSI": "stalls",
    "pressure stall information": "stalls",
    "Senpai": "stalls",
    "squeezed": "proportional",
    "xenballoond": "self-ballooning",
    "selfballooning": "self-ballooning",
    "MOM": "pressure",
    "oVirt MOM": "pressure",
    "memory overcommitment manager": "pressure",
    "idle tax": "esx",
    "idle memory tax": "esx",
    "min-funding revocation": "shares",
    "oracle": "bound",
    "Belady": "bound",
    "OPT": "bound",
    "MIN": "bound",
    # mechanisms
    "balloon driver": "ballooning",
    "ESX balloon": "ballooning",
    "vmmemctl": "ballooning",
    "virtio-balloon": "ballooning",
    "VIRTIO_BALLOON_F_DEFLATE_ON_OOM": "deflate-on-oom",
    "VIRTIO_BALLOON_F_FREE_PAGE_HINT": "free-page-hinting",
    "VIRTIO_BALLOON_F_REPORTING": "free-page-reporting",
    "PoD": "populate-on-demand",
    "memory hotplug": "virtio-mem",
    "zswap": "compressed-memory",
    "zram": "compressed-memory",
    "compression cache": "compressed-memory",
    "host paging": "host swapping",
    "hypervisor swapping": "host swapping",
    "ESX swapping": "host swapping",
    "double paging": "paging twice",
    "Difference Engine": "patching",
    "sub-page sharing": "patching",
    "TPS": "sharing",
    "transparent page sharing": "sharing",
    "content-based page sharing": "sharing",
    "kernel samepage merging": "ksm",
    "same-page merging": "ksm",
    "transcendent memory": "tmem",
    "cleancache": "tmem, ephemeral pool",
    "frontswap": "tmem, both pools",
    "PML": "page-modification-logging",
    "page-modification log": "page-modification-logging",
    "log-dirty": "dirty-logging",
    "KVM_CAP_DIRTY_LOG_RING": "dirty-ring",
    "live migration": "migration",
    "pre-copy": "migration",
    "idle page tracking": "access-tracking",
    # estimators
    "Mattson": "stack distances",
    "reuse distance": "stack distances",
    "Geiger": "ghost list",
    "ghost buffer": "ghost list",
    "statistical sampling": "sampling",
}
"""What is meant here, by the other name."""
BY_FORM = {slug(other): name for other, name in OTHER_NAMES.items()}


def here(other: str) -> str | None:
    """The name that it has here; None if it is no other name of something. Case and gaps do not matter."""
    return BY_FORM.get(slug(other))

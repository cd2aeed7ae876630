"""Tags of a small pool: each VM's translations carry one, on every processor.

Tags are handed out, taken back and reused. A processor may hold translations of a tag's former life, so they are to be flushed
everywhere when it is handed out.
"""

import attrs

from refmodel.language import NOTHING, Total, choose, count, operation, require
from refmodel.machine.names import Tag, Vm
from refmodel.monitor.p2m import P2m


@attrs.frozen
class Tagged:
    """The tag that a VM's translations carry, if it has one."""

    given: bool = False
    tag: Tag = NOTHING


class VmTags(P2m):
    tags: Total[Vm, Tagged]

    def running_it(self, vm: Vm) -> int:
        """How many processors run a VM."""
        raise NotImplementedError

    def mark_stale(self, tag: Tag) -> None:
        """What processors hold under a tag is not to be used."""
        raise NotImplementedError

    @operation
    def give_tag(self, vm: Vm) -> None:
        """A VM gets a tag that no other has. Translations of its former life may be anywhere."""
        tag: Tag = choose(Tag, lambda tag: self.tagged_so(tag) == 0)
        require(not self.tags[vm].given)
        self.tags[vm] = Tagged(True, tag)
        self.mark_stale(tag)

    def tagged_so(self, tag: Tag) -> int:
        return count(self.tags, lambda tagged, vm: tagged.given and tagged.tag == tag)

    @operation
    def take_tag(self, vm: Vm) -> None:
        """A VM that does not run gives its tag up. Nobody forgets anything yet."""
        require(self.tags[vm].given)
        require(self.running_it(vm) == 0)
        self.tags[vm] = Tagged()

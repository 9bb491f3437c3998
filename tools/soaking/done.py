"""What lives have done, and how it is told."""

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass
class Done:
    """A pull counts when the kernel had read the stick since its plug; `early` are the others."""
    lives: Counter = field(default_factory=Counter)  # by controller
    pulls: Counter = field(default_factory=Counter)  # by (controller, medium)
    places: Counter = field(default_factory=Counter)  # the same, by what the pull interrupted
    calls: Counter = field(default_factory=Counter)  # random system calls, by directory
    early: int = 0
    judged: int = 0  # images
    files: int = 0  # judged
    changes: int = 0  # acknowledged
    cuts: int = 0  # lives in which the power was cut after an fsync
    audits: int = 0
    files_of_lives: list = field(default_factory=list)

    def add(self, other):
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def line(self):
        """Of one life, or of all."""
        cut = f", {self.cuts} ended after an fsync" if self.cuts else ""
        return (f"{self.pulls.total()} pulls ({self.early} more too early to count), "
                f"{self.calls.total()} random calls, {self.changes} changes acknowledged, "
                f"{self.judged} images with {self.files} files judged{cut}")

    def table(self):
        """The pulls by controller, medium and place; and the least that a life was judged by."""
        controllers = sorted({controller for controller, _ in self.pulls})
        for controller in controllers:
            parts = [f"{medium} {count}" for (of, medium), count in sorted(self.pulls.items())
                     if of == controller]
            yield (f"  {controller}: {self.lives[controller]} lives, "
                   f"{sum(n for (of, _), n in self.pulls.items() if of == controller)} pulls: "
                   + ", ".join(parts))
        if self.places:
            yield "  pulled: " + ", ".join(f"{place} {count}" for place, count in
                                           sorted(self.places.items()))
        if self.files_of_lives:
            yield f"  judged: at least {min(self.files_of_lives)} files in every life"

"""What is done to two sticks, drawn from a seed: acts, each of which leaves both sticks plugged in.

An act is {name of a stick: [Step, …]}; the lists are carried out side by side. The plan knows
which port each stick stands in, so that the same seed gives the same ports, whatever the speed of
the machine is. A stick that is alone in its act uses the ports of its own half; two that are
swapped exchange their halves.
"""

from dataclasses import dataclass

HALVES = ((1, 3, 5, 7), (2, 4, 6, 8))  # each has ports of both speeds
SLOW = (128 << 10, 512 << 10, 2 << 20)  # bytes per second
PATIENCE_FOR_A_WRITE = 0.8  # seconds; then the pull comes without one


@dataclass(frozen=True)
class Step:
    """One thing that a stick meets.

    wait       so many seconds
    used       until the kernel has read it since its plug (a pull before that does not count)
    write      until a write reaches it, at most so many seconds
    pull, plug (into a port)
    throttle   to so many bytes per second, 0: not at all
    meet       until the other stick is at its `meet` too
    """
    action: str
    value: float = 0
    place: str = ""  # of a pull: what it wants to interrupt


class Plan:
    """An endless row of acts."""

    def __init__(self, choice, sticks, slow=()):
        """choice: a random.Random; sticks: {name: port}; slow: those that are always throttled."""
        self._choice = choice
        self._ports = dict(sticks)
        self._slow = set(slow)
        self._halves = dict(zip(sticks, HALVES))

    def act(self):
        if self._choice.random() < 0.15:
            return self._swap()
        return {name: self._scenes(name) for name in self._ports}

    # --- one stick alone ---------------------------------------------------------------------

    def _scenes(self, name):
        scene = self._choice.choices(
            [self._plain, self._in_a_write, self._in_a_replay, self._in_its_arrival, self._bounce],
            [4, 4, 4, 2, 2])[0]
        return scene(name)

    def _plain(self, name):
        return [*self._work(), *self._away(name, self._skewed(1.2))]

    def _in_a_write(self, name):
        return [*self._work(), self._throttle(name), Step("write", PATIENCE_FOR_A_WRITE),
                self._moment(0.03), *self._away(name, self._skewed(0.4), "write")]

    def _in_a_replay(self, name):
        steps = [*self._work(), *self._away(name, self._skewed(0.4))]
        for _ in range(self._choice.choice([1, 1, 2])):
            steps += [Step("write", PATIENCE_FOR_A_WRITE), self._moment(0.03),
                      *self._away(name, self._skewed(0.3), "replay")]
        return steps

    def _in_its_arrival(self, name):
        """Reset, addressed, examined, verified: each takes some milliseconds."""
        return [*self._work(), *self._away(name, self._skewed(0.3)), self._moment(0.4),
                *self._away(name, self._skewed(0.3), "arrival")]

    def _bounce(self, name):
        """Pulled again within milliseconds."""
        steps = self._work()
        for _ in range(self._choice.choice([2, 2, 3, 4])):
            steps += [*self._away(name, self._choice.choice([0, 0, 0.002, 0.01]), "bounce"),
                      Step("wait", self._choice.choice([0, 0, 0.001, 0.005, 0.03]))]
        return steps

    # --- both --------------------------------------------------------------------------------

    def _swap(self):
        """Each returns into the port where the other one was."""
        (one, other), ports = self._ports, dict(self._ports)
        self._ports = {one: ports[other], other: ports[one]}
        self._halves = {one: self._halves[other], other: self._halves[one]}
        return {name: [*self._work(), Step("pull", place="swap"), Step("meet"), self._moment(0.3),
                       Step("plug", self._ports[name])] for name in (one, other)}

    # --- parts -------------------------------------------------------------------------------

    def _work(self):
        """The programs have the stick for a while."""
        return [Step("used"), Step("wait", self._skewed(0.8))]

    def _away(self, name, seconds, place="plain"):
        self._ports[name] = self._choice.choice(self._halves[name])
        speed = self._choice.choice(SLOW if name in self._slow else (0, 0, 0, *SLOW))
        return [Step("pull", place=place), Step("wait", seconds), Step("throttle", speed),
                Step("plug", self._ports[name])]

    def _throttle(self, name):
        return Step("throttle", self._choice.choice(SLOW if name in self._slow else SLOW[1:]))

    def _skewed(self, longest):
        """Mostly short, so that there are many."""
        return self._choice.random() ** 3 * longest

    def _moment(self, longest):
        return Step("wait", self._choice.random() * longest)

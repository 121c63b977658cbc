"""Which of a person's devices rings first when they call out, or why none can. Pure."""

from dataclasses import replace

from directory.model import Person
from directory.presence import Presence
from routing.arrival import Arrival, Facts
from routing.choice import choose
from routing.plan import Reason, Target


def first_device(person: Person, arrival: Arrival, facts: Facts, *, asked_themselves: bool) -> Target | Reason:
    """Give the first device of the person's order that can ring, judged as for a caller who comes in.

    ``arrival`` is the call as if the number that is to be called had called the person. Who asked themselves is not
    held to hours and presence: they are there.
    """
    if asked_themselves:
        facts = replace(facts, presence={person.key: Presence()})
    choice = choose(person, arrival, facts)
    return choice.attempts[0][0] if choice.attempts else choice.why

"""The state machine: each rule is a step that somebody or something takes, in any order.

What is drawn never depends on what the product does, so that a seed or a shrunk example takes the same steps
again; their timing is the machine's. Rules pick an application by a number, the newest for 0.
"""

from __future__ import annotations

import sys
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.errors import StopTest
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.properties.hazards import CUT, KILLED
from tests.properties.town import CITIZENS, PHONES, Life, Town

KILLS_IN_A_LIFE = 1
WHICH = st.integers(0, 5)
WHO = st.integers(0, CITIZENS - 1)
PHONE = st.integers(0, PHONES - 1)
SOMETIMES = st.integers(0, 3).map(lambda number: number == 3)
KINDS = st.sampled_from(["portrait", "id_front", "id_back"])
SOME_KINDS = st.lists(KINDS, min_size=1, max_size=2, unique=True)
DESK = st.integers(0, 1)
GUESSES = st.sampled_from(["wrong", "replayed", "foreign"])
ACTS = st.lists(
    st.sampled_from(["confirm", "reject", "supplement", "cancel", "deadline", "submit", "look"]),
    min_size=2,
    max_size=4,
)


class Registrations(RuleBasedStateMachine):
    """One life of the town. A subclass says which town."""

    town: ClassVar[Town]

    def __init__(self) -> None:
        super().__init__()
        self.town.lives += 1
        self.town.say(f"life {self.town.lives}")
        self.life = Life(self.town, self.town.lives)
        self.kills = 0

    def step(self) -> Life:
        """Count a step."""
        self.town.steps += 1
        return self.life

    @initialize(who=WHO, phone=PHONE, misspelt=SOMETIMES)
    def somebody_has_registered(self, who: int, phone: int, misspelt: bool) -> None:
        self.step().register(who, phone, misspelt=misspelt)

    @initialize(who=WHO, arrive=st.booleans())
    def somebody_was_verified(self, who: int, arrive: bool) -> None:
        self.town.hazards.sms_arrive(arrive)
        life = self.step()
        life.confirm(life.register(who, who))

    # -- citizens --

    @rule(which=WHICH, who=WHO, phone=PHONE)
    def a_citizen_goes_on(self, which: int, who: int, phone: int) -> None:
        life = self.step()
        life.go_on(life.one(which), who, phone)

    @rule(who=WHO, phone=PHONE, misspelt=SOMETIMES, other_address=SOMETIMES)
    def a_citizen_registers(self, who: int, phone: int, misspelt: bool, other_address: bool) -> None:
        self.step().register(who, phone, misspelt=misspelt, other_address=other_address)

    @rule(who=WHO, misspelt=SOMETIMES)
    def a_citizen_registers_with_the_own_phone(self, who: int, misspelt: bool) -> None:
        self.step().register(who, who, misspelt=misspelt)

    @rule()
    def a_citizen_starts(self) -> None:
        self.step().start()

    @rule(which=WHICH, who=WHO, phone=PHONE, code=WHO, own=st.booleans(), misspelt=SOMETIMES)
    def a_citizen_declares(
        self, which: int, who: int, phone: int, code: int, own: bool, misspelt: bool
    ) -> None:
        life = self.step()
        life.declare(life.one(which), who, phone, who if own else code, misspelt=misspelt)

    @rule(which=WHICH, kind=KINDS)
    def a_citizen_uploads(self, which: int, kind: str) -> None:
        life = self.step()
        life.upload(life.one(which), kind)

    @rule(which=WHICH, who=WHO, other_address=SOMETIMES)
    def a_citizen_chooses_an_agency(self, which: int, who: int, other_address: bool) -> None:
        life = self.step()
        life.choose_agency(life.one(which), who, other_address=other_address)

    @rule(which=WHICH, hurry=st.booleans())
    def a_citizen_asks_for_a_code(self, which: int, hurry: bool) -> None:
        life = self.step()
        life.request_otp(life.one(which), hurry=hurry)

    @rule(which=WHICH, hurry=st.booleans())
    def a_citizen_confirms_the_code(self, which: int, hurry: bool) -> None:
        life = self.step()
        life.confirm_otp(life.one(which), hurry=hurry)

    @rule(which=WHICH, how=GUESSES)
    def somebody_guesses_a_code(self, which: int, how: str) -> None:
        life = self.step()
        life.guess_otp(life.one(which), how)

    @rule(which=WHICH, hurry=st.booleans(), twice=st.booleans())
    def a_citizen_submits(self, which: int, hurry: bool, twice: bool) -> None:
        life = self.step()
        life.submit(life.one(which), hurry=hurry, twice=twice)

    @rule(which=WHICH)
    def a_citizen_cancels(self, which: int) -> None:
        life = self.step()
        life.cancel(life.one(which))

    @rule(which=WHICH, kinds=SOME_KINDS)
    def a_citizen_sends_a_supplement(self, which: int, kinds: list[str]) -> None:
        life = self.step()
        life.send_supplement(life.one(which), kinds)

    @rule(which=WHICH)
    def a_citizen_looks(self, which: int) -> None:
        life = self.step()
        life.follow(life.one(which))

    # -- officers --

    @rule(which=WHICH)
    def an_officer_searches(self, which: int) -> None:
        life = self.step()
        life.list_cases(life.one(which))

    @rule(which=WHICH)
    def an_officer_reads(self, which: int) -> None:
        life = self.step()
        life.read_case(life.one(which))

    @rule(which=WHICH, desk=DESK)
    def an_officer_claims(self, which: int, desk: int) -> None:
        life = self.step()
        life.claim(life.one(which), desk)

    @rule(which=WHICH, desk=DESK, kinds=SOME_KINDS)
    def an_officer_asks_for_a_supplement(self, which: int, desk: int, kinds: list[str]) -> None:
        life = self.step()
        life.ask_supplement(life.one(which), desk, kinds)

    @rule(which=WHICH, desk=DESK)
    def an_officer_confirms(self, which: int, desk: int) -> None:
        life = self.step()
        life.confirm(life.one(which), desk)

    @rule(which=WHICH, desk=DESK)
    def an_officer_rejects(self, which: int, desk: int) -> None:
        life = self.step()
        life.reject(life.one(which), desk)

    @rule(who=WHO, phone=PHONE)
    def an_officer_changes_a_contact(self, who: int, phone: int) -> None:
        self.step().change_contact(who, phone)

    @rule(which=WHICH, acts=ACTS)
    def several_act_at_once(self, which: int, acts: list[str]) -> None:
        life = self.step()
        life.at_once(life.one(which), acts)

    # -- the clock --

    @rule(which=WHICH)
    def the_deadline_passes(self, which: int) -> None:
        life = self.step()
        life.deadline_passes(life.one(which))

    @rule(which=WHICH)
    def a_reminder_falls_due(self, which: int) -> None:
        life = self.step()
        life.reminder_falls_due(life.one(which))

    @rule(which=WHICH)
    def a_code_grows_old(self, which: int) -> None:
        life = self.step()
        one = life.one(which)
        aged = self.town.hazards.otp_grows_old(one.id)
        life.say(f"{one}: {'its code grows old' if aged else 'no code to grow old'}")

    @rule()
    def an_hour_passes(self) -> None:
        self.step().say("an hour passes")
        self.town.hazards.an_hour_passes()

    # -- those outside --

    @rule(down=st.booleans())
    def the_register_goes_or_comes(self, down: bool) -> None:
        self.step().say(f"the register is {'down' if down else 'up'}")
        self.town.hazards.register_is_down(down)

    @rule(which=WHICH)
    def the_register_is_asked_again(self, which: int) -> None:
        life = self.step()
        life.register_is_asked_again(life.one(which))

    @rule(arrive=st.booleans())
    def sms_arrive_or_do_not(self, arrive: bool) -> None:
        self.step().say(f"SMS {'arrive' if arrive else 'do not arrive'}")
        self.town.hazards.sms_arrive(arrive)

    # -- duplicates and losses --

    @rule(picks=st.lists(st.integers(0, 30), min_size=1, max_size=6), anew=SOMETIMES)
    def events_are_told_again(self, picks: list[int], anew: bool) -> None:
        life = self.step()
        told = self.town.hazards.tell_again({one.id for one in life.applications}, picks, anew=anew)
        life.say(f"told again{' anew' * anew}: {', '.join(told) or 'nothing'}")

    @rule(service=st.sampled_from(KILLED))
    def a_process_is_killed(self, service: str) -> None:
        life = self.step()
        if self.kills < KILLS_IN_A_LIFE:
            self.kills += 1
            self.town.hazards.kill(service)
            life.say(f"{service} is killed")
        elif service in CUT:
            life.say(
                f"{self.town.hazards.cut_database(service)} connections of {service} to its database end"
            )

    @rule(service=st.sampled_from(CUT))
    def the_broker_hangs_up(self, service: str) -> None:
        self.step().say(f"{self.town.hazards.cut_broker(service)} connections of {service} to the broker end")

    @rule(service=st.sampled_from(CUT))
    def the_database_hangs_up(self, service: str) -> None:
        ended = self.town.hazards.cut_database(service)
        self.step().say(f"{ended} connections of {service} to its database end")

    @rule()
    def all_rest(self) -> None:
        self.step().rest()

    def check_invariants(self, *arguments: object) -> None:
        """After each step."""
        super().check_invariants(*arguments)  # type: ignore[arg-type]
        self.life.look()

    def rest_at_last(self) -> None:
        try:
            self.life.rest()
        except AssertionError as error:
            self.town.failures.append(str(error))
            raise

    def teardown(self) -> None:
        """At the end of a life that went well all must come to rest."""
        try:
            error = sys.exc_info()[1]
            if error is None:
                self.town.hazards.register_is_down(False)
                self.town.hazards.sms_arrive(True)
                self.rest_at_last()
            elif not isinstance(error, StopTest):
                self.town.failures.append(str(error))
                self.town.say(f"it ends here: {type(error).__name__}: {error}")
        finally:
            self.life.close()

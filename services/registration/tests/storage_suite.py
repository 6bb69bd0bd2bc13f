"""What any storage of registrations must do: one suite for the real one and its twin in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.registration.address import LAST_DAY_OF_DISTRICTS
from services.registration.claims import Claim
from services.registration.declaration import Guardian
from services.registration.domain import Status
from services.registration.retention import Erasure, erased
from services.registration.submission import ConsentGiven, Names, Submission
from services.registration.tests.examples import NOW, TODAY, complete, draft, otp, photo, submitted
from services.registration.use_cases import Storage

LATER = NOW + timedelta(hours=1)


class StorageSuite:
    """Subclasses give a ``storage`` fixture, empty but for the shipped places."""

    @pytest.mark.parametrize(
        "registration",
        [
            draft().entry("started", NOW),
            draft(guardian=Guardian(uuid4(), "0987654321", "parent", "+84912345678")),
            complete("unavailable", warnings=("phone_range_unknown",), email_otp=otp()),
            complete(form_changes={"sex": None, "birth": {"precision": "year", "value": "1990"}}),
            submitted().checked("matched", NOW).cancelled_by_citizen(NOW),
            complete().submitted(
                Submission(
                    "TK-2026-000000002",
                    NOW,
                    NOW,
                    "2026-01",
                    ConsentGiven("en", "0" * 64),
                    Names("(S001) BHXH", "Số 1, Phường Ba Đình, Thành phố Hà Nội", "Hà Nội cũ"),
                )
            ),
            submitted().ended(Status.REJECTED, NOW, "Giấy tờ không khớp"),
            erased(submitted().ended(Status.REJECTED, NOW, "Giấy tờ không khớp"), LATER),
            submitted().supplement_asked("Ảnh mờ", NOW, ("portrait",)).with_photo(photo("portrait")),
            submitted()
            .supplement_asked(None, NOW, ("portrait",))
            .with_photo(photo("portrait"))
            .supplemented("", LATER),
        ],
        ids=[
            "empty",
            "child",
            "whole draft",
            "birth year only",
            "to be cancelled",
            "with its names",
            "rejected",
            "erased",
            "to be supplemented",
            "supplemented",
        ],
    )
    def test_a_registration_is_found_as_it_was_saved(self, storage: Storage, registration) -> None:
        storage.add(draft(id=registration.id))
        storage.save(registration)
        for to_change in (False, True):
            assert storage.find(registration.id, to_change=to_change) == registration

    def test_the_progress_of_several_is_read_at_once(self, storage: Storage) -> None:
        one = submitted().checked("matched", NOW).verified(NOW).issued(UUID(int=1), NOW, LATER)
        other = draft(language="en").entry("started", NOW)
        for registration in (one, other):
            storage.add(draft(id=registration.id, language=registration.language))
            storage.save(registration)
        found = storage.progress([one.id, other.id, uuid4()])
        assert set(found) == {one.id, other.id}
        assert (tuple(found[one.id].entries), found[one.id].status) == (one.timeline, Status.VERIFIED)
        assert found[one.id].deadline == NOW + timedelta(days=30)
        assert found[one.id].agency == "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"
        assert (found[other.id].deadline, found[other.id].agency) == (None, None)

    def test_an_added_draft_is_found(self, storage: Storage) -> None:
        added = draft(language="en").entry("started", NOW)
        storage.add(added)
        assert storage.find(added.id) == added
        assert storage.find(uuid4()) is None

    def test_what_was_never_submitted_is_found_by_number_and_birth_date(self, storage: Storage) -> None:
        own, sent = complete(), submitted()
        other = complete(form_changes={"birth": {"precision": "year", "value": "1990"}})
        for registration in (own, sent, other):
            storage.add(draft(id=registration.id))
            storage.save(registration)
        for number in ("0123456789", "001190123456"):
            assert storage.unsubmitted_of([number, "9876543210"], ["1990-05-17"]) == [own.id]
        assert storage.unsubmitted_of(["9876543210"], ["1990-05-17"]) == []
        assert storage.photos_kept_of([own.id, sent.id]) == 2
        storage.save(erased(own, LATER))
        assert storage.photos_kept_of([own.id, sent.id]) == 1
        assert storage.unsubmitted_of(["0123456789"], ["1990-05-17"]) == []

    def test_what_a_guardian_began_and_never_submitted_is_found_by_the_account(
        self, storage: Storage
    ) -> None:
        mother, father = (Guardian(uuid4(), "0987654321", "parent", "+84912345678") for _ in range(2))
        own, others, sent, erased_before = (
            draft(id=one.id, guardian=guardian)
            for one, guardian in (
                (complete(), mother),
                (complete(), father),
                (submitted(), mother),
                (complete(), mother),
            )
        )
        for registration in (own, others, sent, erased_before):
            storage.add(registration)
            storage.save(registration)
        storage.save(replace(submitted(), id=sent.id, guardian=mother))
        storage.save(erased(erased_before, LATER))
        assert storage.unsubmitted_by(mother.account_id) == [own.id]
        assert storage.unsubmitted_by(uuid4()) == []

    def test_what_was_erased_is_on_record(self, storage: Storage) -> None:
        done = Erasure(uuid4(), uuid4(), NOW, 3, 2, 1)
        storage.add_erasure(done)
        assert storage.erasure(done.request_id) == done
        assert storage.erasure(uuid4()) is None

    def test_saving_one_leaves_the_others(self, storage: Storage) -> None:
        one, other = complete(), complete()
        for registration in (one, other):
            storage.add(draft(id=registration.id))
            storage.save(registration)
        storage.save(replace(one, photos=(photo("portrait"),)))
        assert storage.find(other.id) == other

    @pytest.mark.proves("G6")
    def test_what_is_claimed_is_found_by_each_of_its_values_until_it_is_freed(self, storage: Storage) -> None:
        one, other = self.two(storage)
        held = Claim(one, "+84912345678", frozenset({"0123456789", "001190123456"}))
        beside = Claim(other, "", frozenset({"9876543210"}))
        for claim in (held, beside):
            storage.lock_claimed(claim.values)
            storage.save_claim(claim)
        for value in held.values:
            assert storage.claims_on([value, "+84900000000"]) == [held]
        assert {c.registration_id for c in storage.claims_on(["+84912345678", "9876543210"])} == {one, other}
        assert storage.claim_of(one) == held
        for _ in range(2):
            storage.free_claims(one)
        assert (storage.claim_of(one), storage.claims_on(held.values)) == (None, [])
        assert storage.claim_of(other) == beside

    @pytest.mark.proves("G13")
    def test_an_account_and_a_new_application_of_its_person_hold_the_same_numbers(
        self, storage: Storage
    ) -> None:
        one, other = self.two(storage)
        account = Claim(one, "+84912345678", frozenset({"0123456789"}), is_verified=True)
        application = Claim(other, "+84987654321", frozenset({"0123456789"}))
        for claim in (replace(account, is_verified=False), account, application):
            storage.save_claim(claim)
        found = storage.claims_on(["0123456789"])
        assert sorted(found, key=lambda claim: claim.is_verified) == [application, account]

    def test_declarations_are_numbered_upwards(self, storage: Storage) -> None:
        numbers = [storage.next_declaration() for _ in range(3)]
        assert numbers == sorted(set(numbers))

    @pytest.mark.proves("G8")
    @pytest.mark.parametrize("written", ["Đống Đa", "dong da", "ĐỐNG  ĐA", "co so dong d"])
    def test_an_agency_is_found_by_name_however_it_is_typed(self, storage: Storage, written: str) -> None:
        found = storage.agencies(province_code=None, name_part=written, on=TODAY)
        assert [agency.code for agency in found] == ["S001"]
        assert found[0].display_name == "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"

    @pytest.mark.proves("G8")
    def test_agencies_are_found_by_province(self, storage: Storage) -> None:
        in_hanoi = storage.agencies(province_code="01", name_part=None, on=TODAY)
        assert {agency.province_code for agency in in_hanoi} == {"01"}
        assert storage.agencies(province_code="01", name_part="sai gon", on=TODAY) == []
        assert storage.agencies(province_code="00", name_part=None, on=TODAY) == []
        assert storage.agencies(province_code=None, name_part="100%_'\\", on=TODAY) == []

    def test_an_agency_is_found_by_code(self, storage: Storage) -> None:
        agency = storage.agency("S001")
        assert agency is not None
        assert round(agency.latitude) == 21
        assert storage.agency("S999") is None

    def test_provinces_hold_communes(self, storage: Storage) -> None:
        provinces = storage.administrative_units(parent=None, on=TODAY)
        assert {unit.parent for unit in provinces} == {None}
        assert "00004" in {unit.code for unit in storage.administrative_units(parent="01", on=TODAY)}
        ba_dinh = storage.administrative_unit("00004", on=TODAY)
        assert ba_dinh is not None
        assert (ba_dinh.name, ba_dinh.kind, ba_dinh.parent) == ("Phường Ba Đình", "phường", "01")
        assert storage.administrative_unit("99999", on=TODAY) is None

    @pytest.mark.proves("G5")
    def test_before_july_2025_there_were_districts_and_it_is_known_what_became_of_their_communes(
        self, storage: Storage
    ) -> None:
        then = LAST_DAY_OF_DISTRICTS
        assert storage.administrative_unit("001", on=TODAY) is None
        districts = storage.administrative_units(parent="01", on=then)
        assert "Quận Ba Đình" in {unit.name for unit in districts}
        codes = {unit.code: unit for unit in storage.administrative_units(parent="001", on=then)}
        assert codes["00004"].name == "Phường Trúc Bạch"
        assert codes["00004"] == storage.administrative_unit("00004", on=then)
        assert (codes["00004"].successors, codes["00004"].valid_to) == (("00004",), then)
        assert codes["00022"].successors == ("00004", "00008")
        assert storage.administrative_units(parent="001", on=TODAY) == []

    @staticmethod
    def two(storage: Storage) -> tuple:
        pair = (draft(), draft())
        for registration in pair:
            storage.add(registration)
        return tuple(registration.id for registration in pair)

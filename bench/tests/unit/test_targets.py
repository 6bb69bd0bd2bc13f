from bench.records import Records
from bench.targets import targets


def stage(per_second, cpu_us):
    return {"per_second": per_second, "cpu_us": cpu_us, "runs": [[per_second, cpu_us]]}


def test_a_target_is_reached_at_its_bound_and_missed_beyond(tmp_path):
    records = Records(tmp_path)
    records.keep(
        "stage",
        {"ours": stage(1800, 500), "stock_nameko": stage(300, 3000), "faststream": stage(230, 2999)},
    )

    reached = [target.reached for target in targets(records)]

    assert reached == [True, False, True, False]


def test_the_backlog_compares_the_largest_with_the_smallest(tmp_path):
    records = Records(tmp_path)
    records.keep(
        "backlog", {"1000": stage(2000, 400), "10000": stage(100, 4000), "1000000": stage(1600, 440)}
    )

    time, cpu = targets(records)

    assert (time.ratio, time.reached) == (1.25, False)
    assert (cpu.ratio, cpu.reached) == (1.1, True)


def test_a_registration_costs_the_same_on_top_of_many_or_the_target_is_missed(tmp_path):
    records = Records(tmp_path)
    few = {"cpu_ms": 100, "statements": 200, "scanned": []}
    records.keep(
        "registrations",
        {"1000": few, "1000000": {"cpu_ms": 116, "statements": 201, "scanned": ["identity.cases"]}},
    )

    assert [(t.ratio, t.reached) for t in targets(records)] == [(1.16, False), (1.005, True), (1, False)]


def test_what_was_not_measured_has_no_target(tmp_path):
    assert list(targets(Records(tmp_path))) == []

from bench.profile import PACKAGES, Profile, parse
from shared.testing.processes import ROOT

RAW = f"""\
run ({ROOT}/shared/run.py:1);handle ({ROOT}/bench/ours.py:9);Transaction.run ({ROOT}/shared/database.py:5);execute ({PACKAGES}psycopg/cursor.py:7) 6
run ({ROOT}/shared/run.py:1);handle ({ROOT}/bench/ours.py:9) 2
wait ({PACKAGES}eventlet/hubs/hub.py:3) 2
"""  # noqa: E501 - as py-spy writes it


def test_a_statement_belongs_to_whoever_runs_it():
    profile = Profile(parse(RAW), cpu_us=500.0, units=10)

    assert profile.steps() == [
        ("bench/ours.py handle (its statement)", 300.0, "psycopg 300"),
        ("bench/ours.py handle", 100.0, "bench/ours.py 100"),
        ("outside of ours (eventlet)", 100.0, "eventlet 100"),
    ]


def test_a_function_has_a_cost_alone_and_one_with_all_it_calls():
    functions = {name: costs for name, *costs in Profile(parse(RAW), cpu_us=500.0, units=10).functions()}

    assert functions["psycopg/cursor.py execute"] == [300.0, 300.0]
    assert functions["bench/ours.py handle"] == [100.0, 400.0]

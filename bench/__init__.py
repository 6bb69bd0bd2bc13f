"""The messaging kit against what a team would use instead: the same work, the same SQL, the same machine.

How it is kept fair is written in ``bench/README.md``; what came out, in ``docs/performance.md``.
"""

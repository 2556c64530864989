import gc
import subprocess
import sys
from contextlib import suppress

from tests.house.sources import ROOT
from tightrope.serving import gc_tuning


def test_collector_rests_until_what_stays_is_there() -> None:
    """Then what is there is set aside, and what comes later is looked at again."""
    program = """
import gc
from tightrope import collector
with collector.put_off():
    print(gc.isenabled(), gc.get_freeze_count() > 0)
    collector.settled()
    print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.splitlines() == ["False False", "True True"]


def test_collector_works_again_after_a_start_that_failed() -> None:
    """Whatever went wrong."""
    with suppress(ZeroDivisionError), gc_tuning.put_off():
        assert 1 / gc.isenabled()
    assert gc.isenabled()

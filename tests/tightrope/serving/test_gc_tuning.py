import gc
import subprocess
import sys
from contextlib import suppress

from tests.house.sources import ROOT
from tightrope.serving import gc_tuning


def test_collection_is_off_until_the_heap_is_frozen() -> None:
    """Living objects are then exempt, and collection is on for later ones."""
    program = """
import gc
from tightrope.serving import gc_tuning
with gc_tuning.gc_paused():
    print(gc.isenabled(), gc.get_freeze_count() > 0)
    gc_tuning.freeze_heap()
    print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.splitlines() == ["False False", "True True"]


def test_collection_is_on_after_a_failed_start() -> None:
    """An error in the block does not leave it off."""
    with suppress(ZeroDivisionError), gc_tuning.gc_paused():
        assert 1 / gc.isenabled()
    assert gc.isenabled()

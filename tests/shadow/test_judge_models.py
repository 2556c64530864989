"""Which models a judge judges: those that were dealt to it, whatever it finds of them."""

from pathlib import Path

from tests.support.judgement.comparisons import Traffic
from tests.support.judgement.judge_harness import Court, lenient
from tightrope.service.adapters.memory_bus import MemoryBus, MemorySubscription
from tightrope.service.adapters.ports import Begin
from tightrope.service.adapters.topics import COMPARISONS, topic


def test_model_whose_snapshot_cannot_be_read_is_answered_by_the_baseline(tmp_path: Path) -> None:
    """Nobody knows any more how safe it was; the others go on, evidence brings it back, and gateways that know its
    modes of before take these for newer.
    """
    court = Court(tmp_path, {"m": lenient(), "n": lenient("n")})
    court.order("force-safe", "group=b", model="n")
    court.drain(court.judge())
    court.store.save("log", {}, {"m": b"of a version to come"}, [])
    court.told.clear()
    judge = court.judge()
    court.drain(judge)
    assert {r.model: r.safe for r in court.told} == {"m": ("model",), "n": ("group=b",)}
    assert min(r.epoch for r in court.told if r.model == "m") > 1e9
    (event,) = court.events("m")
    assert (event.kind, event.scope) == ("blind", "model")
    assert event.reason.startswith("its snapshot cannot be read: ")
    assert court.saved("m").modes[0].safe, "what is known now is on file in its place"
    court.publish(Traffic(time=1e10).rows(32))
    court.drain(judge)
    assert court.told[-1].safe == ()


class Dealer(MemoryBus):
    """Two models on two partitions, and somebody who deals them out."""

    def subscribe(self, *topics: str, group: str | None = None, begin: Begin | None = None) -> MemorySubscription:
        """Keep who is to be asked."""
        if begin is not None:
            self.deal = begin
        return super().subscribe(*topics, group=group, begin=begin)

    def partition(self, topic: str, key: str) -> int:  # noqa: ARG002 - whatever the topic
        """A model each."""
        return ["m", "n"].index(key)


def test_model_that_another_judge_took_is_not_shown_any_more(tmp_path: Path) -> None:
    """Its evidence stands still here while it grows there; a judge that leaves shows none at all."""
    bus = Dealer()
    court = Court(tmp_path, {"m": lenient(), "n": lenient("n")}, bus)
    judge = court.judge()

    def shown() -> set[str]:
        families = [
            f for f in court.metrics.registry.collect() if f.name in {"tightrope_evidence", "tightrope_verdict"}
        ]
        return {sample.labels["model"] for family in families for sample in family.samples}

    for mine, models in (((0, 1), {"m", "n"}), ((1,), {"n"}), ((), set()), ((0,), {"m"})):
        bus.deal([(topic(COMPARISONS), partition) for partition in mine])
        judge.step(0)
        assert shown() == models
    judge.close()
    assert shown() == set()

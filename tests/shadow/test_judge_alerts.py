"""The judge tells people what stands, when it changed and when it starts."""

from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Event as Flag

from tests.support.judgement.comparisons import Traffic
from tests.support.judgement.judge_harness import HOST, Court, story
from tightrope.service.adapters.ports import Alert, NoPager
from tightrope.shadow.alerts import SAFE_MODE
from tightrope.shadow.judge import Judge


class Recorder(NoPager):
    """Somebody who listens; while ``deaf`` it fails."""

    def __init__(self) -> None:
        self.heard: list[list[Alert]] = []

    def mind(self, models: Collection[str]) -> None:
        """Keep whose they are."""
        self.ours = list(models)

    def stand(self, model: str, alerts: Sequence[Alert]) -> None:
        """Keep it."""
        assert model == "m"
        self.heard.append(list(alerts))


def judge(court: Court, pager: Recorder) -> Judge:
    """A judge that has just started, and tells this one."""
    return Judge(court.bus, court.store, court.bench, court.metrics, HOST, Flag(), pager=pager)


def test_alert_stands_from_the_breach_to_the_return(tmp_path: Path) -> None:
    """With the breach's evidence; nothing is told of rounds in which nothing changed."""
    court, pager = Court(tmp_path), Recorder()
    of = judge(court, pager)
    for batch in story(Traffic()):
        court.publish(batch)
        court.drain(of)
    assert pager.heard[0] == pager.heard[-1] == []
    spoken = [alerts for alerts in pager.heard if alerts]
    assert spoken
    breach = court.events()[0]
    first = spoken[0][0]
    assert (first.name, first.scope, first.since) == (SAFE_MODE, "group=a", breach.time)
    assert (first.told["event"], first.told["evidence"][:14]) == (breach.id, "disagreement: ")
    assert len(pager.heard) <= 2 + len(court.events())


def test_judge_that_starts_tells_what_stood_when_it_ended(tmp_path: Path) -> None:
    """Whatever was told before; whoever keeps the alerts has their words still."""
    court = Court(tmp_path)
    batches = list(story(Traffic()))
    court.publish(*batches[:16])
    court.drain(court.judge())
    assert [event.kind for event in court.events()] == ["breach"]
    court.reopen()
    pager = Recorder()
    judge(court, pager)
    ((alert,),) = pager.heard
    assert pager.ours == ["m"]
    assert (alert.name, alert.scope, alert.since) == (SAFE_MODE, "group=a", None)

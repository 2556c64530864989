"""The overview of a running pair that harms a group: words, figures, and one computation a second."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import MINORITY, config, traffic
from tests.support.in_process import InProcess, run_in_process
from tightrope.service.api.overview.overview import OverviewReader
from tightrope.service.errors import UnknownModelError


@dataclass
class Looked:
    """A reader of the overview on a clock of the test's own, and what it reads from."""

    running: InProcess
    now: float = 1_000.0

    def __post_init__(self) -> None:
        parts = self.running.parts
        self.reader = OverviewReader(
            parts.service.engine, parts.view, parts.store, parts.service.sight.facts, lambda _: None, lambda: self.now
        )

    def document(self, **page: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of `answer`
        """Return the overview after two seconds."""
        self.now += 2.0
        found: dict[str, Any] = json.loads(self.reader.answer(**page).body)
        return found


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    """A pair whose minority is in safe mode."""
    folder: Path = tmp_path_factory.mktemp("overview")
    whole = config(folder, owner="team-m") | {"safe_mode": {"min_dwell_seconds": 0, "recovery_samples": 1e6}}
    with run_in_process(write_config(folder, whole)) as running:
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
        assert running.states()[MINORITY] == "safe"
        yield Looked(running)


def test_harmed_group_is_told_in_words_and_figures(harmed: Looked) -> None:
    """The model that answers it, how much differs with its range, since when, why, and that it will not return."""
    document = harmed.document()
    assert (document["level"], document["headline"]) == ("note", "One group is answered by the full model.")
    assert document["sentence"].startswith("Minority (group), about 17 % of requests. It is served well")
    (model,) = document["models"]
    group = model["groups"][0]
    assert (group["scope"], group["answers"], group["state"], group["by"]) == (MINORITY, "full", "safe", "Tightrope")
    assert group["range"][0] <= group["rate"] <= group["range"][1]
    assert group["rate"] > group["limit"] == 0.2
    assert group["returns_below"] == pytest.approx(0.15)
    assert group["evidence"] >= 1.0
    assert group["range_since"].startswith("since about request ")
    assert group["why"].startswith("The full model took over for minority (group): ")
    assert group["stuck"] is (group["returns"] is False) is True
    assert {check["monitor"] for check in group["checks"]} == {"disagreement"}
    assert (model["everyone"]["answers"], model["everyone"]["share"]) == ("small", 1.0)
    assert model["owner"] == "team-m", "who is to decide"


def test_history_sight_and_moves_are_those_of_the_run(harmed: Looked) -> None:
    """The alarm with its number, an open span, and a judge that is heard."""
    (model,) = harmed.document()["models"]
    assert (model["history"][0]["kind"], model["history"][0]["sort"]) == ("breach", "harm")
    assert model["history"][0]["seq"] == model["groups"][0]["case"]
    (move,) = model["moves"]
    assert (move["scope"], move["spans"][0]["to"]) == (MINORITY, None)
    assert model["sight"]["judge"]["ok"] is model["sight"]["worker"]["ok"] is True
    assert model["sight"]["compared"] == harmed.running.sent
    assert model["traffic"]["full_share"] > 0


def test_group_without_a_declared_value_follows(harmed: Looked) -> None:
    """One without rows is left out, so nothing is said of it."""
    document = harmed.document()
    assert document["cards"][0]["groups"] == 2
    assert [group["name"] for group in document["models"][0]["groups"]] == ["minority", "majority"]


def test_answer_is_computed_once_a_second(harmed: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many look; its tag changes only with its content."""
    computed = []
    original = harmed.reader._reader.leading_verdicts

    def counted(model: str, complete: int) -> Any:  # noqa: ANN401 - verdicts
        computed.append(model)
        return original(model, complete)

    monkeypatch.setattr(harmed.reader._reader, "leading_verdicts", counted)
    first = harmed.document()
    answers = [harmed.reader.answer() for _ in range(20)]
    assert computed == ["m"]
    assert len({answer.tag for answer in answers}) == 1
    assert json.loads(answers[0].body)["at"] == first["at"]
    before = after = first
    for _ in range(20):  # the rates of the window settle; the watches of the run may say something anew at any time
        before, after = after, harmed.document()
        if before | {"at": after["at"]} == after:
            break
    assert before["at"] == after["at"], "an answer with the same content is the same answer"
    harmed.running.send(traffic(6, harm=True, seed=77))
    assert harmed.document()["at"] > after["at"]


def test_page_of_models_is_cut_and_the_cards_are_not(harmed: Looked) -> None:
    """A model can be asked for by name; one that is not served is an error."""
    assert harmed.document(offset=1)["models"] == []
    assert [card["name"] for card in harmed.document(offset=1)["cards"]] == ["m"]
    assert [model["name"] for model in harmed.document(model="m")["models"]] == ["m"]
    with pytest.raises(UnknownModelError):
        harmed.reader.answer("nope")


def test_order_is_told_with_its_person(harmed: Looked) -> None:
    """A whole model on the baseline by order; its groups are answered with it."""
    harmed.running.parts.service.engine.router.set_blind("m", "no row judged for 60 s, 70 kept")
    document = harmed.document()
    assert document["headline"] == "Nobody can see whether m is safe, so the full model answers everybody."
    majority = next(group for group in document["models"][0]["groups"] if group["name"] == "majority")
    assert (majority["answers"], majority["below"], majority["own"]) == ("full", True, False)
    harmed.running.parts.service.engine.router.set_blind("m", "")
    assert harmed.document()["headline"] == "One group is answered by the full model."

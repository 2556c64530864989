"""Rows to label, and labels back from a file: good lines are sent, and each bad one is named."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.offline import label_lists
from tightrope.offline.label_lists import COLUMNS, LabelDesk, read_labels
from tightrope.service.adapters.open_inference.codec import HttpReply
from tightrope.service.adapters.ports import UnreachableError
from tightrope.service.config.loader import ConfigError

ROW = {"id": "r-1", "row": 0, "time": 5.0, "probability": 1.0}


class FakeGateway:
    """Answers from a map of paths, and notes what was sent."""

    def __init__(self, answers: Mapping[str, tuple[int, object]]) -> None:
        self.answers = answers
        self.sent: list[dict[str, object]] = []

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Answer a request."""
        assert headers == {"Content-Type": "application/json"}
        assert (method == "POST") == (body is not None)
        if path not in self.answers:
            raise UnreachableError("connection refused")
        status, answer = self.answers[path]
        if body is not None:
            self.sent += json.loads(body)["labels"]
        return HttpReply(status, {}, answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def open_desk(answers: Mapping[str, tuple[int, object]], model: str | None = "m") -> tuple[LabelDesk, FakeGateway]:
    """A desk at a gateway with these answers."""
    gateway = FakeGateway(answers)
    return LabelDesk.open("http://g", None, model, gateway), gateway


def test_rows_that_wait_are_listed() -> None:
    """The only model needs no name; a name is quoted in the address."""
    models = {"/v1/models": (200, {"models": [{"name": "a b"}]})}
    desk, _ = open_desk({**models, "/v1/models/a%20b/labels?limit=7": (200, {"rows": [ROW]})}, None)
    assert (desk.model, desk.rows(7)) == ("a b", [ROW])


def test_one_of_several_models_has_to_be_named() -> None:
    """The line has their names."""
    with pytest.raises(ConfigError, match="--model: is missing; it must be one of a, b"):
        open_desk({"/v1/models": (200, {"models": [{"name": "a"}, {"name": "b"}]})}, None)


def test_judge_lists_no_models() -> None:
    """The second line says what to give."""
    with pytest.raises(ConfigError) as refused:
        open_desk({"/v1/models": (404, {"error": "Not Found"})}, None)
    assert refused.value.problems == [
        "http://g/v1/models: Not Found",
        "--model: is missing, and only a gateway lists its models",
    ]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({}, "http://g: connection refused"),
        ({"/v1/models/m/labels?limit=7": (404, {"error": "no model m"})}, "limit=7: no model m"),
        ({"/v1/models/m/labels?limit=7": (401, {"error": "a bearer token is needed"})}, "a bearer token is needed"),
        ({"/v1/models/m/labels?limit=7": (200, b"<html>")}, "without JSON: is it a gateway"),
    ],
)
def test_gateway_that_does_not_list_says_why(answers: Mapping[str, tuple[int, object]], says: str) -> None:
    """In one line with its address."""
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
        open_desk(answers)[0].rows(7)


def test_labels_are_sent_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway takes a number at once; all arrive, in order."""
    monkeypatch.setattr(label_lists, "MAX_SENT_LABELS", 2)
    desk, gateway = open_desk({"/v1/models/m/labels": (202, {"accepted": 2})})
    assert desk.send([{"id": f"r-{number}", "label": 1} for number in range(4)]) == 4
    assert [one["id"] for one in gateway.sent] == ["r-0", "r-1", "r-2", "r-3"]


def test_refused_labels_say_how_many_were_taken() -> None:
    """A person knows what to send again."""
    desk, _ = open_desk({"/v1/models/m/labels": (503, {"error": "labels cannot be taken just now"})})
    with pytest.raises(ConfigError) as refused:
        desk.send([{"id": "r", "label": 1}])
    assert refused.value.problems[1] == "0 of 1 labels were taken"


def write(folder: Path, text: str) -> Path:
    """Write a file of labels."""
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_filled_in_list_is_read(tmp_path: Path) -> None:
    """Tabs or commas, in any order of columns; a line without a label still waits."""
    tabs = "\t".join(COLUMNS) + "\nr-1\t2\t2026-11-29T20:00:00Z\t0.5\t1\tdesk 3\nr-2\t0\tx\t1.0\t\t\n"
    found = read_labels(write(tmp_path, tabs))
    assert found.labels == ({"id": "r-1", "row": 2, "label": 1, "probability": 0.5, "source": "desk 3"},)
    assert found.without == 1
    assert read_labels(write(tmp_path, '\ufefflabel,id\n0,"a, b"\n')).labels[0]["id"] == "a, b"


def test_each_bad_line_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    """With its number, the column, the value, and what would be right."""
    path = write(tmp_path, "id,row,label,probability\n,0,1,1\nr-1,0,yes,1\nr-2,-1,1,2\nr-3,0,1,nan\nr-4,0,1,1\n")
    with pytest.raises(ConfigError) as refused:
        read_labels(path)
    assert refused.value.problems == [
        f"{path}, line 2: id: is empty; it must be the id of the request, as its answer gave it",
        f"{path}, line 3: label: is 'yes'; it must be a whole number from 0",
        f"{path}, line 4: row: is '-1'; it must be a whole number from 0",
        f"{path}, line 4: probability: is '2'; it must be a number from 0 to 1, as the list gave it",
        f"{path}, line 5: probability: is 'nan'; it must be a number from 0 to 1, as the list gave it",
    ]


@pytest.mark.parametrize("text", ["", "id,lable\nr,1\n", "label\n1\n"])
def test_file_without_the_columns_is_refused(tmp_path: Path, text: str) -> None:
    """The line names what is missing."""
    with pytest.raises(ConfigError, match="has no column"):
        read_labels(write(tmp_path, text))


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """No traceback."""
    with pytest.raises(ConfigError, match=r"--send: .*none.csv: No such file"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"id,label\n\xff\xff,1\n")
    with pytest.raises(ConfigError, match="--send: "):
        read_labels(tmp_path / "b.csv")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_lines(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Never another error."""
    path = tmp_path_factory.mktemp("any") / "labels.csv"
    path.write_text("id,label,row,probability\n" + text, encoding="utf-8", errors="replace")
    try:
        found = [str(one["id"]) for one in read_labels(path).labels]
    except ConfigError as error:
        found = list(error.problems)
    assert all(each.strip() for each in found)

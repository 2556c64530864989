"""Answers of `/v1/overview` in the states that the page tells apart."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

AT = 1795885049.0
"""The time of the answers, in seconds since the epoch."""

ATTRIBUTES = {
    "residence": ("group quarters", "institution", "household"),
    "race": ("two or more races", "other race", "asian", "black", "white", "american indian"),
    "age band": ("75 and over", "16 to 19", "20 to 24", "25 to 34", "35 to 44", "45 to 54", "55 to 64", "65 to 74"),
    "sex": ("male", "female"),
    "nativity": ("foreign born",),
    "disability": ("no disability", "with a disability"),
}
NAMES = tuple((attribute, name) for attribute, names in ATTRIBUTES.items() for name in names)
HOSTILE = '<img src=x onerror="window.harmed = true">'


def check(monitor: str = "disagreement", title: str = "Different answers", **changes: object) -> Json:
    """A monitor of a group as the case shows it."""
    quiet = {
        "monitor": monitor, "title": title, "says": "2.3 % of answers differ, 10 % tolerated", "rate": 0.023,
        "limit": 0.1, "range": [0.012, 0.041], "rows": 1278, "needed": 157, "evidence": 0.12, "outcome": "pass",
        "note": "", "way_back": None, "range_since": None,
    }  # fmt: skip
    return quiet | changes


def group(attribute: str, name: str, number: int = 0, **changes: object) -> Json:
    """A group that the small model answers, with a little less evidence than the one before it."""
    quiet = {
        "scope": f"{attribute.replace(' ', '_')}={name.replace(' ', '_')}", "title": f"{name} ({attribute})",
        "name": name, "attribute": attribute, "state": "normal", "held": False, "own": False, "below": False,
        "answers": "small", "asked": [], "since": None, "by": None, "why": None, "compared": 2081,
        "share": 0.0601, "monitor": "disagreement",
        "label": "answered differently", "rate": 0.027 / (1 + number / 9), "limit": 0.1,
        "range": [0.012 / (1 + number / 9), 0.055 / (1 + number / 9)], "says": "2.7 % of answers differ",
        "evidence": 0.2 / (1 + number / 9), "way_back": None, "flaps": 0, "unseen": None, "case": None,
        "checks": [
            check(),
            check("confidence", "How sure it is", says="the small model is surer by 3.7 %, 4.0 % tolerated", rate=0.037,
                  limit=0.04, range=None),
            check("refusal_rate", "Unsure more or less often", says="the small model is unsure less often, by 1.1 % of "
                  "answers, 8.0 % tolerated", rate=-0.011, limit=0.08, range=None, rows=90),
        ],
        "returns_below": 0.075, "returns": None,
        "returns_in_seconds": None, "range_since": None, "stuck": False, "worst": 0.2, "requests_per_second": 0.96,
    }  # fmt: skip
    return quiet | changes


def taken_over(attribute: str, name: str, **changes: object) -> Json:
    """A group that the full model answers by evidence."""
    why = f"The full model took over for {name} ({attribute}): 62 % of answers differ, 10 % tolerated."
    alarm = check(says="58 % of answers differ, 10 % tolerated", rate=0.58, range=[0.52, 0.63], outcome="breach")
    taken = {
        "state": "safe", "own": True, "answers": "full", "since": AT - 1327, "by": "Tightrope", "why": why,
        "rate": 0.576, "range": [0.52, 0.63], "evidence": 1.17, "way_back": 0.04, "flaps": 1, "case": 8, "stuck": True,
        "checks": [alarm, check("confidence", "How sure it is", rate=0.03)],
    }  # fmt: skip
    return group(attribute, name) | taken | changes


def model(name: str = "employment", groups: Sequence[Json] | None = None, **changes: object) -> Json:
    """A model that is well, with 22 groups."""
    watched = {"waiting": 3, "last": AT, "silent_seconds": 0.0, "ok": True}
    quiet = {
        "name": name, "armed": True, "state": "normal", "blind": False, "level": "ok", "headline": "All well.",
        "sentence": "Nothing to do.", "owner": "team-credit",
        "full": {"digest": "99cbc8062dbf" * 5, "since": None}, "small": {"digest": "d868b0b33bc3" * 5, "since": None},
        "traffic": {"requests_per_second": 16.01, "full_per_second": 1.11, "full_share": 0.0694},
        "sight": {"sampled_share": 1.0, "dropped": 0, "compared": 34676, "worker": watched,
                  "judge": {**watched, "waiting": 0}, "blind_after_seconds": 60.0, "dependent": False,
                  "baseline_contradictions": {"asked_twice": 384, "contradictions": 0}},
        "everyone": group("", "Everybody", scope="model", title="Everybody", share=1.0, requests_per_second=16.01),
        "groups": [group(*named, number) for number, named in enumerate(NAMES)] if groups is None else groups,
        "unseen": [], "history": [], "moves": [], "found": [], "qualification": None, "report": None, "incident": None,
        "cost": "Compression saves about 41 % of the model's CPU; "
        "watching it costs about 9 %; fallbacks cost about 2 %.",
        "answers": "small", "reason": "",
    }  # fmt: skip
    return quiet | changes


def overview(
    models: Sequence[Json], level: str = "ok", headline: str = "All well.", sentence: str = "Nothing to do."
) -> Json:
    """An answer about these models."""
    cards = [
        {"name": each["name"], "level": each["level"], "headline": each["headline"], "answers": "small",
         "groups": len(each["groups"]), "moved": 0, "evidence": 0.2}
        for each in models
    ]  # fmt: skip
    return {
        "at": AT, "level": level, "headline": headline, "sentence": sentence, "control": True, "total": len(cards),
        "cards": cards, "models": [*models],
    }  # fmt: skip


def event(seq: int, ago: float, sort: str, text: str, scope: str = "residence=group_quarters") -> Json:
    """A sentence of the history, of ``ago`` seconds before."""
    return {"seq": seq, "at": AT - ago, "kind": "breach", "sort": sort, "scope": scope, "actor": "judge", "text": text,
            "raw": "", "incident": None}  # fmt: skip


def well() -> Json:
    """The small model answers all requests."""
    return overview([model()], sentence="The small model answers everybody. Nothing to do.")


def two_groups() -> Json:
    """The full model answers two groups, and one event has hostile texts."""
    groups = [
        taken_over(*NAMES[0]),
        taken_over(*NAMES[1], rate=0.128, range=None, label="less sure", limit=0.04, way_back=0.215),
    ]
    groups += [group(*named, number) for number, named in enumerate(NAMES[2:])]
    told = [
        event(14, 540, "order", f"<b>Eve</b> gave male (sex) back to Tightrope: {HOSTILE}", "sex=male"),
        event(8, 1327, "harm", groups[0]["why"]),
        event(7, 1363, "change", "Ana put the small model d868b0b3 in place.", ""),
        event(4, 1423, "harm", groups[1]["why"], "residence=institution"),
        event(3, 2139, "well", "The small model answers group quarters (residence) again."),
    ]
    moves = [
        {"scope": each["scope"], "title": each["title"],
         "spans": [{"from": AT - 2139 - 200 * i, "to": AT - 1400, "state": "safe", "seq": 1, "asked": []},
                   {"from": AT - 1327, "to": None, "state": "safe", "seq": 8, "asked": []}]}
        for i, each in enumerate(groups[:2])
    ]  # fmt: skip
    declared = "subgroups:\n  young_women: {column: 3, values: {yes: {high: 29}}}"
    found = [{"title": "women below 30", "says": "19 % of answers differ, 7 % tolerated.", "rate": 0.19, "limit": 0.07,
              "range": [0.12, 0.28], "share": 0.04, "at": AT - 900, "scope": None, "declared": False,
              "declare": declared}]  # fmt: skip
    shown = model(groups=groups, history=told, moves=moves, found=found, level="note")
    return overview(
        [shown], "note", "Two groups are answered by the full model.",
        "Group quarters (residence) and institution (residence), about 8.6 % of requests. They are served well, and so "
        "is everybody else. Nothing to do now. They do not return by themselves: that takes a better small model, in "
        "working hours.",
    )  # fmt: skip


def must_decide() -> Json:
    """The full model answers all requests until a person decides."""
    few = {"rows": 200, "needed": 331}
    below = [group(*named, number, answers="full", below=True, rate=0.3, evidence=0.3, unseen=[200, 331])
             for number, named in enumerate(NAMES)]  # fmt: skip
    everyone = taken_over("", "Everybody", scope="model", title="Everybody", state="latched", way_back=None, share=1.0,
                          requests_per_second=16.01)  # fmt: skip
    unseen = [{"scope": one["scope"], "title": one["title"], **few} for one in below[:18]]
    shown = model(groups=below, everyone=everyone, unseen=unseen, state="latched", level="act")
    return overview(
        [shown], "act", "The full model answers everybody of employment, and a person must decide.",
        "The small model came back and failed again, so it does not return by itself. Callers are served well. In "
        "working hours: put a better model in place, or give it back to the monitors.",
    )  # fmt: skip


def blind() -> Json:
    """Nothing is compared, so the full model answers all requests."""
    shown = must_decide()["models"][0]
    silent = {"waiting": 2575, "last": AT - 130, "silent_seconds": 130.0, "ok": False}
    shown |= {
        "state": "safe",
        "level": "blind",
        "blind": True,
        "sight": {**shown["sight"], "worker": silent, "dropped": 700},
    }
    shown["everyone"] |= {"state": "safe", "case": None}
    return overview(
        [shown], "blind", "Nobody can see whether employment is safe, so the full model answers everybody.",
        "Callers are safe; it costs capacity. Look at the shadow worker: once comparisons arrive again, the small "
        "model can prove itself and comes back.",
    )  # fmt: skip


def many_groups() -> Json:
    """One model with 500 groups, one of them with a hostile name."""
    groups = [taken_over("region", HOSTILE), *(group("region", f"region {number}", number) for number in range(2, 501))]
    return overview(
        [model(groups=groups, level="note")], "note", "One group is answered by the full model.", "It is served well."
    )


def many_models() -> Json:
    """Forty models: two need a look, the others are well."""
    noted = [model(f"model-{number:02}", [taken_over(*NAMES[0]), group(*NAMES[1])], level="note",
                   headline="One group is answered by the full model.") for number in range(2)]  # fmt: skip
    quiet = [model(f"model-{number:02}", groups=[group(*NAMES[0])]) for number in range(2, 40)]
    return overview([*noted, *quiet], "note", "Two groups are answered by the full model.", "They are served well.")


STATES: Mapping[str, Callable[[], Json]] = {
    each.__name__: each for each in (well, two_groups, must_decide, blind, many_groups, many_models)
}

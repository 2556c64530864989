from dataclasses import replace

from ruamel.yaml import YAML

from tightrope.offline.card.blocks import CardRow, CardSection, CardTable, Sentence
from tightrope.offline.card.content import build_card
from tightrope.offline.card.markdown import card_markdown
from tightrope.offline.card.sources import CardSources

HOSTILE = "<b>x</b> [y](http://z) | **w** `v` ![u](t) a_b _c_ [q:cell 1]\n# h"


def test_front_matter_is_that_of_model_hubs(card_sources: CardSources) -> None:
    """YAML, with any characters in the names."""
    content = build_card(card_sources)
    text = card_markdown(replace(content, front=replace(content.front, base_model='a": {b}', license="mit")))
    front = YAML(typ="safe").load(text.split("---\n")[1])
    assert front["base_model"] == 'a": {b}'
    assert (front["base_model_relation"], front["library_name"], front["license"]) == ("quantized", "onnx", "mit")
    (result,) = front["model-index"][0]["results"]
    assert [(each["type"], each["value"]) for each in result["metrics"]] == [("disagreement", 0.00625)]


def test_text_of_other_people_is_no_markup(card_sources: CardSources) -> None:
    """Neither Markdown nor HTML, nor a made-up source; a line stays a line of its table."""
    table = CardTable(HOSTILE, ("a", "b"), [CardRow((HOSTILE, "1"), ("q:cell 2",))])
    content = replace(build_card(card_sources), lead=[], sections=[CardSection("t", [Sentence(HOSTILE), table])])
    lines = card_markdown(content).split("## t")[1].splitlines()
    escaped = r"&lt;b&gt;x&lt;/b&gt; \[y\](http:&#47;/z) \| \*\*w\*\* \`v\` \!\[u\](t) a_b \_c\_ \[q:cell 1\] \# h"
    assert lines[2:7] == [escaped, "", "| a | b | source |", "|---|---|---|", f"| {escaped} | 1 | [q:cell 2] |"]

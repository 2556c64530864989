from tightrope.offline.sweep.page.markup import Markup, element, joined


def test_texts_and_attributes_are_escaped() -> None:
    """A name of a file may hold anything; markup stays as it is."""
    made = element("p", "<b>", [element("i", "x&y"), None], title='"', class_="a", aria_label=None)
    assert made == '<p title="&quot;" class="a">&lt;b&gt;<i>x&amp;y</i></p>'
    assert joined(["<", Markup("<br>")]) == "&lt;<br>"


def test_void_elements_have_no_end() -> None:
    """Those of SVG are closed at once."""
    assert element("meta", http_equiv="x", name="y") == '<meta http-equiv="x" name="y">'
    assert element("line", x1=1) == '<line x1="1"/>'

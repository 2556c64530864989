from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.offline.sweep.page.signs import draw_sign, sign


def test_each_verdict_has_a_shape_of_its_own() -> None:
    """Colours are not needed to tell them apart."""
    shapes = {draw_sign(verdict, 8, 8).split("class=")[1] for verdict in QualificationVerdict}
    assert len(shapes) == 4
    assert 'aria-hidden="true"' in sign(QualificationVerdict.QUALIFIED)

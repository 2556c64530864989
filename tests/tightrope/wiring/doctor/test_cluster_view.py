"""A view without answers leads to no finding about the cluster, and one of a healthy cluster to good ones only."""

from tests.support.cluster.cluster_views import healthy
from tightrope.wiring.doctor.cluster_view import ClusterView
from tightrope.wiring.doctor.examination import findings_of
from tightrope.wiring.doctor.finding import Severity


def test_healthy_cluster_is_well() -> None:
    """Every part says that it is well, in one line each."""
    found = findings_of(healthy())
    assert {finding.severity for finding in found} == {Severity.FINE}
    subjects = ["topics", "m", "m", "workers", "judges", "http://g:8080", "signing", "dead", "clocks", "rights"]
    assert [finding.subject for finding in found] == subjects


def test_view_without_answers_claims_nothing() -> None:
    """Nothing is known without a broker, not even whether records are signed."""
    assert list(findings_of(ClusterView(["m"], 2))) == []

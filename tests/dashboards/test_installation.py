"""Rules and dashboards of one installation keep its labels, and the rules select it."""

import json
from pathlib import Path

import pytest

from tests.support.commands import tightrope
from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import RULES, document
from tests.support.observability.dashboard_queries import board_queries
from tests.support.observability.promql import selectors
from tightrope.dashboards.boards import boards
from tightrope.dashboards.installation import ALL_INSTALLATIONS, board_with_labels, rules_with_labels, split_labels

LABELS = {"cluster": "eu", "namespace": "production", "region": ""}
TEXTS = {name: (RULES / name).read_text() for name in ("recording.yml", "alerts.yml")}


def test_labels_are_given_with_and_without_a_value() -> None:
    """Without one they are only kept."""
    assert split_labels(["cluster=eu", "namespace=production", "region"]) == LABELS


@pytest.mark.parametrize("name", TEXTS)
def test_rules_without_more_labels_are_the_shipped_ones(name: str) -> None:
    """Cluster and namespace are kept in any case."""
    assert rules_with_labels(TEXTS[name], {}) == TEXTS[name]
    assert rules_with_labels(TEXTS[name], {"cluster": "", "namespace": ""}) == TEXTS[name]


def test_rules_select_the_values_in_every_selector(tmp_path: Path) -> None:
    """And keep all labels in every grouping; promtool accepts them."""
    for name, text in TEXTS.items():
        made = rules_with_labels(text, LABELS)
        assert made.count('{cluster="eu", namespace="production"') == text.count(ALL_INSTALLATIONS)
        assert made.count("cluster, namespace, region") == text.count("cluster, namespace")
        assert ALL_INSTALLATIONS not in made
        (tmp_path / name).write_text(made)
    code, output = debian_servers.run_tool("promtool", "check", "rules", *(tmp_path / name for name in TEXTS))
    assert code == 0, output


TEST = {
    "rule_files": ["recording.yml", "alerts.yml"],
    "evaluation_interval": "1m",
    "tests": [
        {
            "interval": "1m",
            "input_series": [
                {"series": f'tightrope_requests_total{{model="m",outcome="ok",{labels}}}', "values": values}
                for labels, values in (('namespace="staging",cluster="eu"', "0x30"),)
            ]
            + [
                {
                    "series": 'tightrope_safe_mode_active{model="m",scope="model",namespace="staging",cluster="eu"}',
                    "values": "1x30",
                }
            ],
            "promql_expr_test": [
                {
                    "expr": 'ALERTS{alertstate="firing",severity="page"}',
                    "eval_time": "10m",
                    "exp_samples": [
                        {
                            "labels": 'ALERTS{alertname="TightropeGatewayDown",alertstate="firing",cluster="eu",'
                            'namespace="production",severity="page"}',
                            "value": 1,
                        }
                    ],
                }
            ],
        }
    ],
}


def test_installation_that_was_never_there_is_missed_beside_another(tmp_path: Path) -> None:
    """The rules that select production page for its absence, and not for staging's safe mode."""
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(rules_with_labels(text, LABELS))
    (tmp_path / "test.yml").write_text(json.dumps(TEST))
    code, output = debian_servers.run_tool("promtool", "test", "rules", tmp_path / "test.yml")
    assert code == 0, output


LINKS = {
    "model": "tightrope-model?var-cluster=&var-namespace=p&var-model=m&var-scope=model&from=-3480000&to=now",
    "a=b c": "tightrope-subgroups?var-cluster=&var-namespace=p&var-model=m&var-scope=a%3Db+c&from=-3480000&to=now",
}


@pytest.mark.parametrize("scope", LINKS)
def test_page_of_the_rules_links_to_the_dashboard_of_its_scope_and_time(tmp_path: Path, scope: str) -> None:
    """As Prometheus expands it, two minutes after 1970: of the installation, from an hour before on."""
    labels = {"model": "m", "scope": scope, "namespace": "p"}
    selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
    shipped = document(RULES / "alerts.yml")["groups"][0]["rules"]
    (rule,) = (rule for rule in shipped if rule.get("alert") == "TightropeSafeMode")
    link = {"dashboard_url": rule["annotations"]["dashboard_url"]}
    only = [{"name": "g", "rules": [{**rule, "labels": {}, "annotations": link}]}]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": only}))
    expected = {
        "exp_labels": labels,
        "exp_annotations": {"dashboard_url": f"https://grafana.example.org/d/{LINKS[scope]}"},
    }
    case = {
        "interval": "1m",
        "input_series": [{"series": f"tightrope_safe_mode_active{{{selector}}}", "values": "0 1 1"}],
        "alert_rule_test": [{"eval_time": "2m", "alertname": "TightropeSafeMode", "exp_alerts": [expected]}],
    }
    (tmp_path / "test.yml").write_text(
        json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [case]})
    )
    code, output = debian_servers.run_tool("promtool", "test", "rules", tmp_path / "test.yml")
    assert code == 0, output


def test_severity_and_owner_are_of_the_installation_with_the_same_labels(tmp_path: Path) -> None:
    """A region's model of the same name has another owner, another policy and other groups."""
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(rules_with_labels(text, {"region": ""}))
    owners = {"eu": ("ada", "never"), "us": ("grace", "always")}
    info = 'tightrope_model_info{{model="m",region="{}",owner="{}",page="{}",mode="armed"}}'
    series = [info.format(region, *owner) for region, owner in owners.items()]
    series += [f'tightrope_safe_mode_active{{model="m",scope="a=b",region="{region}"}}' for region in owners]
    alert = 'ALERTS{{alertname="TightropeSafeMode",alertstate="firing",model="m",scope="a=b",region="{}",{}}}'
    expected = [
        alert.format("eu", 'owner="ada",severity="ticket"'),
        alert.format("us", 'owner="grace",severity="page"'),
    ]
    case = {
        "interval": "1m",
        "input_series": [{"series": one, "values": "1x5"} for one in series],
        "promql_expr_test": [
            {
                "expr": 'ALERTS{alertname="TightropeSafeMode"}',
                "eval_time": "2m",
                "exp_samples": [{"labels": labels, "value": 1} for labels in expected],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps({**TEST, "tests": [case]}))
    code, output = debian_servers.run_tool("promtool", "test", "rules", tmp_path / "test.yml")
    assert code == 0, output


@pytest.mark.parametrize("uid", boards())
def test_dashboard_has_a_variable_for_each_label(uid: str) -> None:
    """After the namespace; every selector uses it, and single and several choices are as those of the namespace."""
    plain, made = boards()[uid], boards(("region",))[uid]
    names = [one["name"] for one in made["templating"]["list"]]
    assert names == [*names[:3], "region", *[one["name"] for one in plain["templating"]["list"]][3:]]
    _, _, namespace, region, *_ = made["templating"]["list"]
    assert region["multi"] == namespace["multi"]
    equals = "=~" if region["multi"] else "="
    for before, after in zip(board_queries(plain), board_queries(made), strict=True):
        count = len([name for name, _ in selectors(before.plain) if name])
        assert after.expr.count(f'region{equals}"$region"') == count
        assert after.expr.count("cluster, namespace, region") == before.expr.count("cluster, namespace")
    assert board_with_labels(plain, ("cluster", "namespace")) == plain
    tags = made["annotations"]["list"][1]["target"]["tags"]
    assert ("region:$region" in tags) == ("namespace:$namespace" in tags)


def test_command_renders_with_labels(tmp_path: Path) -> None:
    """A label that Prometheus does not accept is refused by name."""
    ended = tightrope("dashboards", "render", tmp_path, "--label", "namespace=production", "--label", "region")
    assert ended.returncode == 0, ended.stderr
    rule = document(tmp_path / "rules/alerts.yml")["groups"][0]["rules"][0]
    assert 'namespace="production"' in rule["expr"]
    assert "cluster, namespace, region" in rule["expr"]
    assert json.loads((tmp_path / "json/tightrope-model.json").read_text()) == boards(("region",))["tightrope-model"]
    for wrong in ("re-gion", "region=a b", 'x="y"', "=x"):
        ended = tightrope("dashboards", "render", tmp_path, "--label", wrong)
        assert (ended.returncode, ended.stderr.splitlines()[-1][:15]) == (1, "error --label: ")

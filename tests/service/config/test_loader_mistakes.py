"""Every error in a configuration is one line that names the file, the key, the value and the valid values."""

from pathlib import Path

import pytest

from tightrope.service.config.loader import ENVIRONMENT, TOKEN_VARIABLE, ConfigError, load

MODEL = "baseline: b.onnx, compressed: c.onnx"


def problems(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> list[str]:
    """The problems of a file with this content."""
    path = folder / "tightrope.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in caught.value.problems]


IN_MODEL = [
    ("bogus: 1", "models.m.bogus: there is no such key"),
    (
        "runtime: {threads: many}",
        "models.m.runtime.threads: input should be a valid integer, unable to parse string as",
    ),
    ("runtime: {threads: 0}", "models.m.runtime.threads: input should be greater than or equal to 1 (it is 0)"),
    ("runtime: {arenas: no}", "models.m.runtime.arenas: there is no such key"),
    (
        "runtime: {optimization: most}",
        "models.m.runtime.optimization: input should be 'none', 'basic', 'extended' or 'al",
    ),
    (
        "runtime: {execution: odd}",
        "models.m.runtime.execution: input should be 'sequential' or 'parallel' (it is 'odd')",
    ),
    ("runtime: {node_threads: 2}", "models.m.runtime: node_threads above 1 needs execution: parallel"),
    ("runtime: {providers: []}", "models.m.runtime.providers: list should have at least 1 item"),
    ("runtime: {providers: [A, B, A]}", "models.m.runtime: providers has 'A' twice"),
    (
        "runtime: {provider_options: {A: {b: 1}}}",
        "models.m.runtime: provider_options has 'A', which is not in providers",
    ),
    (
        "runtime: {warm_up_rows: 0}",
        "models.m.runtime.warm_up_rows: input should be greater than or equal to 1 (it is 0)",
    ),
    ("version: 1", "models.m.version: input should be a valid string (it is 1)"),
    ("mode: off", "models.m.mode: input should be 'armed' or 'advisory' (it is 'off')"),
    ("limits: {disagreement: 0}", "models.m.limits.disagreement: input should be greater than 0 (it is 0)"),
    ("limits: {disagreement: 5}", "models.m.limits.disagreement: input should be less than 0.72 (it is 5)"),
    ("limits: {disagreement: .nan}", "models.m.limits.disagreement: input should be less than 0.72 (it is nan)"),
    ("limits: {nope: 0.1}", "models.m.limits: there is no monitor 'nope'; there are disagreement, clear_disagreement,"),
    ("subgroup_limits: {nope: 0.1}", "models.m.subgroup_limits: there is no monitor 'nope'"),
    ("subgroup_limits: {disagreement: null}", "models.m.subgroup_limits.disagreement: input should be a valid number"),
    ("decision: {scale: odd}", "models.m.decision.scale: input should be 'probabilities', 'logits' or 'regression'"),
    ("decision: {tolerance: -1}", "models.m.decision.tolerance: input should be greater than or equal to 0"),
    ("sampling: {rate: 2}", "models.m.sampling.rate: input should be less than or equal to 1 (it is 2)"),
    ("sampling: {rate: .nan}", "models.m.sampling.rate: input should be less than or equal to 1 (it is nan)"),
    ("sampling: {floors: {a=b: -1}}", "models.m.sampling.floors.a=b: input should be greater than or equal to 0"),
    ("repeats: often", "models.m.repeats: input should be 'distinct', 'retries', 'inputs' or 'none' (it is 'often')"),
    ("lanes: 0", "models.m.lanes: input should be greater than or equal to 1 (it is 0)"),
    ("lanes: 51", "models.m.lanes: input should be less than or equal to 50 (it is 51)"),
    ("noise_share: 2", "models.m.noise_share: input should be less than or equal to 1 (it is 2)"),
    ("latency: {}", "models.m.latency.seconds: field required"),
    ("latency: {seconds: 0}", "models.m.latency.seconds: input should be greater than 0 (it is 0)"),
    ("latency: {seconds: 1, limit: 1}", "models.m.latency.limit: input should be less than 1 (it is 1)"),
    ("labels: {horizon_seconds: 0}", "models.m.labels.horizon_seconds: input should be greater than 0 (it is 0)"),
    ("refusal: {}", "models.m.refusal.threshold: field required"),
    ("refusal: {threshold: .nan}", "models.m.refusal.threshold: input should be a finite number (it is nan)"),
    ("refusal: {threshold: 1, action: shout}", "models.m.refusal.action: input should be 'flag', 'escalate' or 'ab"),
    ("refusal: {threshold: 1, score: luck}", "models.m.refusal.score: input should be 'max_probability', 'margin' or"),
]
IN_ENDPOINT = [
    ("model: m", "models.m.baseline.endpoint: field required"),
    ("endpoint: 'http://h'", "models.m.baseline.model: field required"),
    ("endpoint: far, model: m", "models.m.baseline.endpoint: string should match pattern"),
    ("endpoint: 'ftp://h', model: m", "models.m.baseline.endpoint: string should match pattern"),
    ("endpoint: 'http://me:secret@h', model: m", "models.m.baseline.endpoint: string should match pattern"),
    ("endpoint: 'http://h?a=b', model: m", "models.m.baseline.endpoint: string should match pattern"),
    ("endpoint: 'http://h', model: m, timeout: 1", "models.m.baseline.timeout: there is no such key"),
    ("endpoint: 'http://h', model: m, timeout_seconds: 0", "models.m.baseline.timeout_seconds: input should be gre"),
    ("endpoint: 'http://h', model: m, version: a/b", "models.m.baseline.version: string should match pattern"),
    ("endpoint: 'http://h', model: m, max_rows: 0", "models.m.baseline.max_rows: input should be greater than or"),
    ("endpoint: 'http://h', model: m, required: false", "models.m.baseline: required: false needs a version"),
]


@pytest.mark.parametrize(("fields", "expected_error"), IN_ENDPOINT)
def test_error_in_an_endpoint_names_its_key(tmp_path: Path, fields: str, expected_error: str) -> None:
    """A role is a path or a map; the key of an error in the map has no part for that choice."""
    (problem,) = problems(tmp_path, f"models: {{m: {{baseline: {{{fields}}}, compressed: c.onnx}}}}")
    assert problem.startswith(expected_error)


def test_role_that_is_neither_path_nor_map_names_both_forms(tmp_path: Path) -> None:
    """The valid forms are in the line."""
    (problem,) = problems(tmp_path, "models: {m: {baseline: [1], compressed: c.onnx}}")
    assert (
        problem == "models.m.baseline: must be the path of an ONNX file, or a map with endpoint and model (it is [1])"
    )


def test_runtime_of_an_endpoint_is_an_error(tmp_path: Path) -> None:
    """It would have no effect."""
    endpoint = "{endpoint: 'http://h', model: m}"
    (problem,) = problems(
        tmp_path, f"models: {{m: {{baseline: b.onnx, compressed: {endpoint}, compressed_runtime: {{threads: 2}}}}}}"
    )
    assert problem == "models.m: compressed_runtime is for a file, but compressed is an endpoint"


IN_SUBGROUP = [
    ("values: [a]", "models.m.subgroups.s: needs either parameter or column"),
    ("parameter: p, column: 1, values: [a]", "models.m.subgroups.s: needs either parameter or column"),
    ("parameter: p, values: {a: [1]}", "models.m.subgroups.s: values must be a list of names with parameter"),
    ("column: 1, values: [a]", "models.m.subgroups.s: values must be a list of names with parameter"),
    ("column: -1, values: {a: [1]}", "models.m.subgroups.s.column: input should be greater than or equal to 0"),
    ("parameter: p, values: []", "models.m.subgroups.s.values: list should have at least 1 item"),
    ("parameter: p, values: a", "models.m.subgroups.s.values: must be a list of names, or a map from names to codes"),
    ("parameter: p, values: [a b]", "models.m.subgroups.s.values.0: string should match pattern"),
    ("parameter: p, values: [a, b, a]", "models.m.subgroups.s: values has 'a' twice"),
    (
        "parameter: p, values: [GQ, gq]",
        "models.m.subgroups.s: values GQ and gq are equal after strip and casefold: 'GQ'",
    ),
    ("parameter: p, values: [GQ, gq], normalise: [casefold]", "models.m.subgroups.s: values GQ and gq are equal after"),
    (
        "parameter: p, values: [a, other]",
        "models.m.subgroups.s: values has 'other', the name of the subgroup of all un",
    ),
    (
        "column: 1, values: {Other: [1]}",
        "models.m.subgroups.s: values has 'Other', the name of the subgroup of all und",
    ),
    ("column: 1, values: {a: [x], b: [y, x]}", "models.m.subgroups.s: values a and b are equal: 'x' and 'x'"),
    (
        "column: 1, values: {a: ['x '], b: [X]}",
        "models.m.subgroups.s: values a and b are equal after strip and casefold",
    ),
    (
        "parameter: p, values: [a], otherwise: drop",
        "models.m.subgroups.s.otherwise: input should be 'watch', 'baseline",
    ),
    ("parameter: p, values: [a], normalise: [upper]", "models.m.subgroups.s.normalise.0: input should be 'strip' or"),
    ("column: 1, values: {}", "models.m.subgroups.s.values: dictionary should have at least 1 item"),
    ("column: 1, values: {a: x}", "models.m.subgroups.s.values.a: must be a list of codes, or {low, high} (it is 'x')"),
    ("column: 1, values: {a: []}", "models.m.subgroups.s.values.a: list should have at least 1 item"),
    ("column: 1, values: {a: [1, x]}", "models.m.subgroups.s.values.a.1: input should be a valid number"),
    ("column: 1, values: {a: [x, 1]}", "models.m.subgroups.s.values.a.1: input should be a valid string (it is 1)"),
    ("column: 1, values: {a: {lo: 1}}", "models.m.subgroups.s.values.a.lo: there is no such key"),
    ("column: 1, values: {a: {low: 9, high: 1}}", "models.m.subgroups.s.values.a: low must not be above high"),
    ("column: 1, values: {a: {low: .nan}}", "models.m.subgroups.s.values.a: low must not be above high"),
]
ELSEWHERE = [
    ("extra: 1", "extra: there is no such key"),
    ("alerts: {keep_seconds: 0}", "alerts.keep_seconds: input should be greater than or equal to 0.1 (it is 0)"),
    ("server: {port: 70000}", "server.port: input should be less than or equal to 65535 (it is 70000)"),
    ("server: {max_body_bytes: 1}", "server.max_body_bytes: input should be greater than or equal to 1024 (it is 1)"),
    ("alarms: {samples_per_false_alarm: 5}", "alarms.samples_per_false_alarm: input should be greater than or equal"),
    ("safe_mode: {recovery_ratio: 1}", "safe_mode.recovery_ratio: input should be less than 1 (it is 1)"),
    ("safe_mode: {max_flaps: 1.5}", "safe_mode.max_flaps: input should be a valid integer"),
    ("reports: {every_seconds: 60}", "reports: every_seconds needs rows to report about: set keep_rows, e.g. to 50000"),
    ("state: 5", "state: must be a folder, or a map with folder: (it is 5)"),
]
FILES = [
    ("", "must be a map that starts with models:"),
    ("[]", "must be a map that starts with models:"),
    ("models: {}", "models: dictionary should have at least 1 item after validation, not 0 (it is {})"),
    ("models:", "models: input should be a valid dictionary (it is None)"),
    ("server: {}", "models: field required"),
    ("models: {m: 5}", "models.m: must be a map (it is 5)"),
    (f"models: {{'a b': {{{MODEL}}}}}", "models.a b: string should match pattern"),
    ("models: [", "not YAML: while parsing a flow node"),
    ("models: {}\nmodels: {}", "not YAML: while constructing a mapping"),
    ("\t", "not YAML: while scanning"),
    ("[" * 600, "not YAML: maximum recursion depth"),
    (b"\xff\xfe\x00\x00", "not YAML:"),
]
CASES = [
    *((f"models: {{m: {{{MODEL}, {text}}}}}", fact) for text, fact in IN_MODEL),
    *((f"models: {{m: {{{MODEL}, subgroups: {{s: {{{text}}}}}}}}}", fact) for text, fact in IN_SUBGROUP),
    (
        f"models: {{m: {{{MODEL}, subgroups: {{host: {{parameter: p, values: [a]}}}}}}}}",
        "models.m.subgroups: 'host' is reserved for host classes; choose another name",
    ),
    *((f"models: {{m: {{{MODEL}}}}}\n{text}", fact) for text, fact in ELSEWHERE),
    *FILES,
]


@pytest.mark.parametrize(("text", "fact"), CASES, ids=[fact[:60] for _, fact in CASES])
def test_error_is_one_line_with_its_key(tmp_path: Path, text: str | bytes, fact: str) -> None:
    """Multi-line messages of pydantic and the YAML reader are joined; the line begins with the file and the key."""
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(fact)
    assert "\n" not in problem


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    """One run shows all of them."""
    lines = problems(tmp_path, "models: {a: {baseline: b, limits: 1}, b: 2}\nserver: {port: x}\nbogus: 1")
    assert [line.split(":")[0] for line in lines] == [
        "models.a.compressed",
        "models.a.limits",
        "models.b",
        "server.port",
        "bogus",
    ]


def test_long_values_are_cut(tmp_path: Path) -> None:
    """A long value does not make a long line."""
    (problem,) = problems(tmp_path, f"models: {{m: {{{MODEL}, mode: {'x' * 10_000}}}}}")
    assert len(problem) < 200


def test_missing_file_and_folder_are_errors(tmp_path: Path) -> None:
    """With the reason of the operating system."""
    for path, reason in ((tmp_path / "nope.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        assert caught.value.problems == [f"{path}: cannot be read: {reason}"]


def test_unknown_variable_is_an_error(tmp_path: Path) -> None:
    """An unknown variable with the prefix is reported with the file's own errors."""
    good = f"models: {{m: {{{MODEL}}}}}"
    unknown = f"TIGHTROPE_TOKEN: no such setting; the environment may set {', '.join(sorted(ENVIRONMENT))}"
    assert problems(tmp_path, good, {"TIGHTROPE_TOKEN": "x", TOKEN_VARIABLE: "t"}) == [unknown]
    assert problems(tmp_path, good + "\nbogus: 1", {"TIGHTROPE_TOKEN": "x"}) == [unknown, "bogus: there is no such key"]

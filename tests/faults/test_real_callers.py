"""Real clients on a running server: curl, which asks for an upgrade to HTTP/2 before its first request, and Node."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.servers import Server, serving
from tests.support.serving.protocol_connection import Answers, chunked, post
from tests.support.serving.raw_caller import RawCaller

INFER = "/v2/models/m/infer"
ROWS = json.dumps(request(traffic(3, harm=False)))
LARGE = json.dumps(request(traffic(20_000, harm=False)))

NODE = """
const http = require('http'), http2 = require('http2'), url = new URL(process.argv[2]), body = process.argv[3];
const agent = new http.Agent({keepAlive: true, maxSockets: 4});
function ask(headers, chunks = 1) {
  return new Promise((done, failed) => {
    const request = http.request(url, {method: 'POST', agent, headers}, response => {
      let text = ''; response.on('data', part => text += part);
      response.on('end', () => done([response.statusCode, JSON.parse(text).outputs ? 'answer' : text]));
    });
    request.on('error', failed);
    const size = body.length / chunks;
    for (let i = 0; i < chunks; i++) request.write(body.slice(i * size, (i + 1) * size));
    request.end();
  });
}
const length = {'Content-Length': body.length};
const asked = {'Connection': 'Upgrade', 'Upgrade': 'h2c'};
(async () => {
  const answers = [];
  for (let i = 0; i < 30; i++) answers.push(await ask(length));
  answers.push(...await Promise.all(Array.from({length: 40}, (_, i) => ask(i % 2 ? length : {}, 1 + i % 3))));
  for (let i = 0; i < 3; i++) answers.push(await ask({...length, ...asked}, 2), await ask({...asked}, 2));
  for (let i = 0; i < 3; i++) {
    const response = await fetch(url, {method: 'POST', body});
    answers.push([response.status, (await response.json()).outputs ? 'answer' : 'none']);
  }
  await new Promise(done => {
    const session = http2.connect(url.origin);
    session.on('error', done); session.on('close', done);
    session.request({':method': 'POST', ':path': url.pathname}).on('error', () => 0).end(body);
  });
  answers.push(await ask(length));
  agent.destroy();
  console.log(JSON.stringify(answers));
})();
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server."""
    folder = tmp_path_factory.mktemp("callers")
    with serving(write_config(folder, config(folder))) as running:
        yield running


def curl(server: Server, *options: str, path: str = INFER, body: str = ROWS) -> tuple[list[int], str]:
    """The statuses that curl got, and the last body."""
    program = shutil.which("curl")
    assert program, "curl is missing: `make tools` installs it"
    line = [program, "-sS", "-m", "30", "-w", "\n%{http_code} %{http_version}", *options, f"{server.address}{path}"]
    told = subprocess.run(line, input=body, capture_output=True, text=True, check=True, timeout=60).stdout
    text, _, last = told.rpartition("\n")
    status, version = last.split()
    assert version == "1.1"
    return [int(status)], text


@pytest.mark.parametrize("body", [ROWS, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("how", [(), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue")])
def test_curl_that_asks_for_http2_is_answered(server: Server, how: tuple[str, ...], body: str) -> None:
    """Over HTTP/1.1, with its body, in each form in which curl sends one."""
    options = ("--http2", "-H", "Content-Type: application/json", "--data-binary", "@-", *how)
    statuses, text = curl(server, *options, body=body)
    assert statuses == [200]
    assert json.loads(text)["model_name"] == "m"


def test_curl_that_asks_for_http2_gets_all_pages(server: Server) -> None:
    """Also without a body."""
    for path in ("/v2/health/ready", "/v2/models/m", "/metrics"):
        assert curl(server, "--http2", path=path)[0] == [200]


def test_curl_that_insists_on_http2_is_refused(server: Server) -> None:
    """Its preface is no request; the server goes on."""
    with pytest.raises(subprocess.CalledProcessError):
        curl(server, "--http2-prior-knowledge", "--data-binary", "@-")
    assert curl(server, "--data-binary", "@-")[0] == [200]


def test_node_is_answered(server: Server, tmp_path: Path) -> None:
    """On connections that it keeps, at once and one after another, in chunks, with upgrades, and after HTTP/2."""
    program = shutil.which("node")
    assert program, "Node is missing: `make tools` installs it"
    script = tmp_path / "caller.js"
    script.write_text(NODE)
    line = [program, str(script), f"{server.address}{INFER}", ROWS]
    told = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    answers = json.loads(told.stdout)
    assert len(answers) == 30 + 40 + 6 + 3 + 1
    assert [answer for answer in answers if answer != [200, "answer"]] == []


@pytest.mark.parametrize("request_", [post(ROWS.encode()), chunked(ROWS.encode()), post(LARGE.encode())])
def test_caller_that_closes_its_side_is_answered(server: Server, request_: bytes) -> None:
    """As `nc -N` and proxies do; then the server closes the other side."""
    with RawCaller(server.address) as caller:
        caller.send(request_ * 2).socket.shutdown(socket.SHUT_WR)
        assert Answers(caller.read_all()).statuses == [200, 200]

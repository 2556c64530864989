/** The case of a group in a drawer: who answers since when and why, all that is watched, the alarm, and the orders. */

import { evidencePath, rateBar } from "./charts.js";
import { h } from "./dom.js";
import { answering } from "./groups.js";
import { decide } from "./operator.js";
import { count, date, duration, percent, rate, wholePercent } from "./words.js";

/** The content of the drawer; `event` is the group's alarm as `/v1/events` has it, if it is known already. */
export function drawer(page, model, group, event) {
  const monitor = event?.detail.monitors?.[0];
  return [
    h("div", { class: "case-head" },
      h("div", null, h("h2", { id: "case-title", tabindex: "-1" }, group.title),
        h("p", null, `${model.name} · ${rate(group.requests_per_second)}, ${percent(group.share)} of requests`)),
      h("button", { class: "plain close", "aria-label": "Close", onclick: page.close }, "✕")),
    h("p", { class: "lead" }, answering(group, group.asked[0] ? " answers others" : " answers"), since(group, page.now()), " ", group.why ?? unharmed(group)),
    wayBack(group),
    monitor?.path?.length > 1 && h("figure", null, evidencePath(monitor),
      h("figcaption", null, `How the evidence grew, up to ${wholePercent(monitor.evidence / monitor.threshold)} of what an alarm needs.`)),
    h("h3", null, "All that is watched"),
    h("table", { class: "checks" }, h("caption", { class: "hidden" }, `Every monitor of ${group.title}`),
      h("thead", null, h("tr", null, ["Question", "Now"].map((name) => h("th", { scope: "col" }, name)),
        ["Evidence", "Answers"].map((name) => h("th", { scope: "col", class: "number" }, name)))),
      h("tbody", null, (group.checks.length ? group.checks : [leading(group)]).map(check))),
    event && alarm(event),
    h("p", { class: "links" }, event && h("a", { href: `v1/events?model=${encodeURIComponent(event.model)}&after=${event.seq - 1}&limit=1` }, "The record as JSON"),
      event?.incident && h("a", { href: `v1/incidents/${event.incident}.html` }, "The incident"),
      model.report && h("a", { href: model.report.replace(/^\//, "") }, "The newest drift report")),
    decide(page, model, group),
  ];
}

function since(group, now) {
  return group.since ? ` since ${date(group.since)}, for ${duration(now - group.since)}.` : ".";
}

function unharmed(group) {
  return group.below ? "It is answered with everybody: the whole model is with the full one."
    : "There is no evidence of harm that would call for an alarm.";
}

function wayBack(group) {
  if (group.way_back === null || group.way_back === undefined) return null;
  return h("p", { class: "lead" }, `Way back: ${percent(group.way_back)} of the proof is in.`, outlook(group));
}

function outlook(group) {
  if (group.stuck) {
    return ` At ${percent(Math.abs(group.rate))} it will not come back: that takes less than ${percent(group.returns_below)}. Put a better model in place, or leave it as it is.`;
  }
  return group.returns_in_seconds && ` It comes back by itself in about ${duration(group.returns_in_seconds)}, if answers stay as they are.`;
}

/** Where a model has very many groups, only what leads is told of the quiet ones. */
function leading({ monitor, says, rate, limit, range, evidence, compared }) {
  return { monitor, title: "What is off most", says, rate, limit, range, evidence, rows: compared, needed: 0 };
}

function check(each) {
  const evidence = each.outcome === "breach" ? "alarm" : wholePercent(each.evidence);
  return h("tr", { key: each.monitor + each.title }, h("th", { scope: "row" }, each.title),
    h("td", null, rateBar(each), each.says,
      each.range_since && h("small", null, each.range_since), each.note && h("small", null, each.note)),
    h("td", { class: "number" }, evidence),
    h("td", { class: "number" }, count(each.rows), each.rows < each.needed && h("small", null, `of ${count(each.needed)}`)));
}

function alarm({ time, detail }) {
  const facts = [
    ["Alarm", `${date(time)}${detail.samples ? `, at answer ${count(detail.samples)}` : ""}`],
    ["Tipped by request", detail.request_digest && h("code", { title: "its digest: tightrope audit digest" }, detail.request_digest.slice(0, 12))],
    ["Small model", detail.compressed_digest && h("code", { title: detail.compressed_digest }, detail.compressed_digest.slice(0, 12))],
    ["Judged on", detail.host],
  ];
  return [h("h3", null, "The case"), h("dl", { class: "pairs" }, facts.filter(([, value]) => value)
    .map(([name, value]) => h("div", { key: name }, h("dt", null, name), h("dd", null, value))))];
}

/** What happened to a model, which undeclared groups were found, and who cannot be seen. */

import { timeline } from "./charts.js";
import { caseLink } from "./groups.js";
import { h } from "./dom.js";
import { count, moment } from "./words.js";

const SPANS = [["hour", 3600], ["day", 86400], ["week", 604800]];
const SIGNS = { harm: "▲", well: "●", order: "◆", change: "◇" };
const NAMED = 4;

/** The lanes of those whom the full model answered, and the events in sentences, newest first. */
export function happened(page, model) {
  const now = page.now();
  const choices = SPANS.map(([name, seconds]) => h("button", {
    class: "plain", "aria-pressed": String(page.span === seconds), onclick: () => page.change(() => (page.span = seconds)),
  }, name));
  return h("section", { class: "happened" },
    h("div", { class: "head" }, h("h3", null, "What happened"),
      h("div", { class: "choice", role: "group", "aria-label": "How far back" }, choices)),
    timeline(model, now, page.span),
    h("ol", { class: "history", tabindex: "0", "aria-label": `What happened to ${model.name}, newest first` },
      model.history.length ? model.history.map((event) => entry(model, event, now))
        : h("li", { class: "none" }, "Nothing yet. Who answers has not changed since Tightrope began.")));
}

function entry(model, { seq, at, sort, scope, text }, now) {
  const words = scope ? h("a", { href: caseLink(model, scope, seq) }, text) : text;
  return h("li", { key: seq, class: sort }, h("time", { datetime: new Date(at * 1000).toISOString() }, moment(at, now)),
    h("span", { "aria-hidden": "true" }, SIGNS[sort]), h("p", null, words));
}

/** The groups that nobody declared and in which harm was found. */
export function found(model) {
  if (!model.found?.length) return null;
  return h("section", { class: "found" }, h("h3", null, "Harm in groups that nobody declared"),
    h("ul", null, model.found.map(({ title, says, declare, declared }) => h("li", { key: title },
      h("b", null, title), ` ${says}${declared ? " It is watched." : ""}`,
      declare && h("details", null, h("summary", null, "How to declare it"), h("pre", { tabindex: "0" }, declare))))));
}

/** Who has too few compared answers, or that nothing is seen at all. */
export function unseen(model) {
  const { worker, judge } = model.sight;
  if (!worker.ok || !judge.ok) {
    return silence("Who cannot be seen", `Everybody, for as long as nothing is ${worker.ok ? "judged" : "compared"}.`);
  }
  if (!model.unseen.length) {
    return silence("Who cannot be seen", "Nobody: every declared group has enough compared answers. Harm in a group that nobody declared is not seen.");
  }
  const groups = model.unseen.slice(0, NAMED).map(({ title, rows, needed }) => `${title} (${count(rows)} of ${count(needed)})`);
  const rest = model.unseen.length - groups.length;
  const subject = model.unseen.length === 1 ? "One group has" : `${model.unseen.length} groups have`;
  return silence("Who cannot be seen yet",
    `${subject} too few compared answers for a “no harm”: ${groups.join(", ")}${rest ? ` and ${rest} more` : ""}. Clear harm would still raise an alarm.`);
}

function silence(title, words) {
  return h("section", { class: "unseen" }, h("h3", null, title), h("p", null, words));
}

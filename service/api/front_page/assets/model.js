/** The card of a model: its figures, whether Tightrope can see, its groups, and what happened. */

import { groupTable } from "./groups.js";
import { found, happened, unseen } from "./history.js";
import { h } from "./dom.js";
import { count, date, duration, moment, percent, rate } from "./words.js";

/** The signs of the levels: each level has a colour and a sign. */
export const SIGNS = { ok: "✓", note: "i", act: "!", blind: "✕" };

/** A model: the whole card, or one line where it is well and not the only one. */
export function card(page, model, isOnly) {
  const isOpen = isOnly || model.level !== "ok" || page.unfolded.has(model.name);
  return h("section", { key: model.name, class: isOpen ? "model" : "model folded", "aria-label": model.name },
    h("div", { class: "head" }, title(page, model, isOnly, isOpen), facts(page, model, isOpen)),
    isOpen && sight(page, model),
    isOpen && h("div", { class: "columns" }, groupTable(page, model),
      h("aside", { "aria-label": `More about ${model.name}` }, happened(page, model), found(model), unseen(model))));
}

function title(page, model, isOnly, isOpen) {
  const fold = () => page.change(() => (isOpen ? page.unfolded.delete(model.name) : page.unfolded.add(model.name)));
  return h("div", { class: `title level-${model.level ?? "none"}` },
    model.level && !isOnly && h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[model.level]),
    h("h2", null, model.name),
    model.owner && h("small", null, model.owner),
    !isOnly && h("p", null, model.headline),
    !isOnly && model.level === "ok" && h("button", { class: "plain", "aria-expanded": String(isOpen), onclick: fold },
      isOpen ? "Fold" : "Unfold", h("span", { class: "hidden" }, ` ${model.name}`)));
}

function facts(page, model, isOpen) {
  const { traffic, small, qualification } = model;
  const now = page.now();
  return h("dl", { class: "facts" },
    fact("Requests", rate(traffic.requests_per_second)),
    fact("By the full model", percent(traffic.full_share), rate(traffic.full_per_second)),
    isOpen && fact("Fallback", model.armed ? "on" : "only advises"),
    isOpen && fact("Small model", h("code", { title: small.digest }, small.digest.slice(0, 8)), small.since && `since ${moment(small.since, now)}`),
    isOpen && qualification && fact("Qualified", qualification.says, qualification.expires && `until ${date(qualification.expires)}`));
}

function fact(name, value, more) {
  return h("div", null, h("dt", null, name), h("dd", null, value, more && h("small", null, ` ${more}`)));
}

/** The way of an answer from the request to the judgement, and where it is interrupted. */
function sight(page, { sight: seen, traffic }) {
  const now = page.now();
  const total = seen.compared + seen.dropped;
  const requests = traffic.requests_per_second ? rate(traffic.requests_per_second) : "none just now";
  const lost = seen.dropped ? `${count(seen.dropped)} of ${count(total)} lost` : "none lost";
  return h("ol", { class: "sight", "aria-label": "Can Tightrope see?" },
    step("Requests come in", requests, true),
    step(`${percent(seen.sampled_share)} of them are kept`, lost, seen.dropped <= 0.01 * total),
    seen.worker.ok ? step("Both models answer", newest(seen.worker, now), true) : interrupted("Not compared", seen.worker),
    judging(seen, now));
}

function judging({ worker, judge }, now) {
  if (!judge.ok) return interrupted("Not judged", judge);
  return worker.ok ? step("Answers are judged", newest(judge, now), true) : step("Nothing to judge", "", false);
}

function newest({ last }, now) {
  return last ? `newest ${duration(now - last)} ago` : "none yet";
}

function interrupted(what, { silent_seconds: silent, waiting }) {
  return step(what, `for ${duration(silent)}, ${count(waiting)} wait`, false);
}

function step(what, how, isWell) {
  return h("li", { class: isWell ? "well" : "bad" },
    h("span", { "aria-hidden": "true" }, isWell ? "✓" : "✕"), h("b", null, what), h("span", null, how));
}

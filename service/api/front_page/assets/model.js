/** The card of a model: its figures, whether Tightrope can see, its groups, and what happened. */

import { groupTable } from "./groups.js";
import { found, happened, unseen } from "./history.js";
import { h } from "./dom.js";
import { count, duration, moment, percent, rate, wholePercent } from "./words.js";

/** The signs of the levels: each level has a colour and a sign. */
export const SIGNS = { ok: "✓", note: "i", act: "!", blind: "✕" };

/** A model: the whole card, or one line where it is well and not the only one. */
export function card(page, line, isOnly) {
  const model = page.answer.models.find(({ name }) => name === line.name);
  const isOpen = model && (isOnly || isWhole(page, line));
  return h("section", { key: line.name, class: isOpen ? "model" : "model folded", "aria-label": line.name },
    h("div", { class: "head" }, title(page, line, isOnly, isOpen), isOpen ? facts(page, model) : shortFacts(line)),
    isOpen && !isOnly && h("p", { class: "sentence" }, model.sentence),
    isOpen && sight(page, model),
    isOpen && h("div", { class: "columns" }, groupTable(page, model),
      h("aside", { "aria-label": `More about ${line.name}` }, happened(page, model), found(model), unseen(model))));
}

/** Whether all of a model is shown: a person may have to look at it, or wants to. */
export function isWhole(page, { name, level }) {
  return level !== "ok" || page.unfolded.has(name);
}

function title(page, { name, level, headline }, isOnly, isOpen) {
  if (isOnly) return h("div", { class: "title" }, h("h2", null, name));
  return h("div", { class: `title level-${level}` },
    h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[level]), h("h2", null, name), h("p", null, headline),
    level === "ok" && foldButton(page, name, isOpen));
}

function foldButton(page, name, isOpen) {
  const fold = () => {
    page.change(() => (isOpen ? page.unfolded.delete(name) : page.unfolded.add(name)));
    page.look();
  };
  return h("button", { class: "plain", "aria-expanded": String(Boolean(isOpen)), onclick: fold },
    isOpen ? "Fold" : "Unfold", h("span", { class: "hidden" }, ` ${name}`));
}

function shortFacts({ groups, evidence }) {
  return h("dl", { class: "facts" }, fact("Groups", count(groups)), fact("Strongest evidence", wholePercent(evidence), "of an alarm"));
}

function facts(page, model) {
  const { owner, traffic, small, qualification, cost } = model;
  const now = page.now();
  return h("dl", { class: "facts" },
    fact("Requests", rate(traffic.requests_per_second)),
    fact("By the full model", percent(traffic.full_share), rate(traffic.full_per_second)),
    fact("Fallback", model.armed ? "on" : "only advises"),
    fact("Small model", h("code", { title: small.digest }, small.digest.slice(0, 8)), small.since && `since ${moment(small.since, now)}`),
    qualification && fact("Qualification", qualification.says),
    owner && fact("Owner", owner),
    cost && fact("Cost", cost));
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

/** The table of a model's groups: who answers, what is off, how strong the evidence is. */

import { meter, rateBar } from "./charts.js";
import { h } from "./dom.js";
import { count, moment, percent, range, rate, wholePercent } from "./words.js";

const FEW = 8;
const FEW_ON_PHONES = 4;
const MANY = 12; // groups from which on there is a field to find one
const TIGHTROPE = "Tightrope"; // who moved a group, if no person did
const phone = matchMedia("(max-width: 640px)");

/** The address of a group's case. */
export function caseLink(model, scope, seq) {
  return `#/${encodeURIComponent(model.name)}/${encodeURIComponent(scope)}${seq ? `?event=${seq}` : ""}`;
}

/** Who answers a group: sign and words. */
export function answering(group, more = "") {
  const [sign, words] = group.answers === "full" ? ["■", "Full model"] : ["○", "Small model"];
  return h("span", { class: `who ${group.below ? "below" : group.answers}` },
    h("span", { "aria-hidden": "true" }, sign), ` ${words}${more}`);
}

/** The groups of a model, the worst first: a few of them, all, or those that were looked for. */
export function groupTable(page, model) {
  const wanted = page.searches.get(model.name) ?? "";
  const found = model.groups.filter((group) => group.title.toLowerCase().includes(wanted.toLowerCase()));
  const isAll = page.all.has(model.name) || wanted !== "";
  const shown = isAll ? found : found.slice(0, phone.matches ? FEW_ON_PHONES : FEW);
  const isStill = !model.sight.worker.ok || !model.sight.judge.ok;
  return h("div", { class: isStill ? "groups still" : "groups" },
    isStill && h("p", { class: "stood" }, standstill(model)),
    h("table", null,
      h("caption", { class: "hidden" }, `Groups of ${model.name}, the worst first`),
      h("thead", null, h("tr", null, heading("Who", "worst first"), heading("Answered by"),
        heading("What is off", "│ marks what is tolerated", "wide"), heading("Evidence", "of an alarm"),
        heading("Requests", "", "number"))),
      h("tbody", null, row(page, model, model.everyone), shown.map((group) => row(page, model, group)))),
    shown.length === 0 && wanted !== "" && h("p", { class: "none" }, `No group is called “${wanted}”.`),
    h("div", { class: "more" }, allButton(page, model, shown.length), findField(page, model)));
}

function standstill({ sight }) {
  const last = Math.min(sight.judge.last, sight.worker.last);
  return `These figures stand still since ${new Date(last * 1000).toLocaleTimeString("en-GB")}. Requests are counted on.`;
}

function heading(words, more, kind) {
  return h("th", { scope: "col", class: kind }, words, more && h("small", null, ` ${more}`));
}

function allButton(page, model, shown) {
  if (page.searches.get(model.name)) return null;
  const isAll = page.all.has(model.name);
  if (!isAll && shown === model.groups.length) return null;
  const change = () => page.change(() => (isAll ? page.all.delete(model.name) : page.all.add(model.name)));
  return h("button", { class: "plain", onclick: change }, isAll ? "Show the worst only" : `Show all ${model.groups.length} groups`);
}

function findField(page, model) {
  if (model.groups.length < MANY) return null;
  const look = (event) => page.change(() => page.searches.set(model.name, event.target.value.trim()));
  return h("label", { class: "find" }, h("span", null, "Find a group"),
    h("input", { type: "search", class: "find-group", autocomplete: "off", maxlength: 100, oninput: look }));
}

function row(page, model, group) {
  const isWhole = group === model.everyone;
  const kinds = [group.answers === "full" && !group.below && "full", isWhole && "whole"].filter(Boolean).join(" ");
  return h("tr", { key: group.scope, class: kinds || null },
    h("th", { scope: "row" }, h("a", { href: caseLink(model, group.scope), class: "group" }, group.name),
      h("small", null, whose(page, group) || "all groups together")),
    h("td", null, answering(group), condition(group)),
    h("td", { class: "wide" }, rateBar(group), h("span", { class: "what" }, ...off(group))),
    h("td", { class: "proof" }, evidence(group)),
    h("td", { class: "number" }, rate(group.requests_per_second), h("small", null, percent(group.share))));
}

function whose(page, { attribute, since, by }) {
  const actor = by && by !== TIGHTROPE ? `, by ${by}` : "";
  return [attribute, since ? `since ${moment(since, page.now())}${actor}` : ""].filter(Boolean).join(", ");
}

function condition(group) {
  if (group.below) return h("small", null, "with everybody");
  if (group.asked[0]) return h("small", null, `full model for ${group.asked.join(", ")}`);
  if (group.state === "latched") return h("small", { class: "decide" }, "until a person decides");
  return group.held ? h("small", null, "held by an order") : null;
}

function off(group) {
  if (group.rate === null || group.rate === undefined) return ["nothing compared yet"];
  const between = group.range ? `${range(group.range)} · ` : "";
  return [h("b", null, percent(Math.abs(group.rate))), ` ${group.label}`, h("small", null, `${between}${percent(group.limit)} tolerated`)];
}

function evidence(group) {
  if (group.way_back !== null && group.way_back !== undefined) {
    return [meter(group.way_back, true), h("span", { class: "what" }, "way back ", h("b", null, wholePercent(group.way_back)))];
  }
  if (group.state === "latched") return h("span", { class: "what" }, "no way back by itself");
  return [meter(group.evidence, false), h("span", { class: "what" }, h("b", null, wholePercent(group.evidence)),
    h("span", { class: "narrow" }, " of an alarm"), group.unseen && h("small", { title: tooFew(group.unseen) }, "too few yet"))];
}

function tooFew([rows, needed]) {
  return `${count(rows)} of the ${count(needed)} compared answers that a “no harm” needs`;
}

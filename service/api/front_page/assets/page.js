/** The page: what it knows, when it asks for more, how things stand in one sentence, the keys, and the open case. */

import { drawer } from "./case.js";
import { h, update } from "./dom.js";
import { card, isWhole, SIGNS } from "./model.js";
import { identity } from "./operator.js";
import * as ask from "./overview.js";
import { clock, duration } from "./words.js";

const EVERY = 2000; // milliseconds between two looks, while the page is seen
const MODELS = 10; // models of the first look, and how many more at a time
const GONE = "Tightrope does not answer this page.";
const LOOK_THERE = "Callers may be served all the same: look at the gateway's own health first.";

const app = document.getElementById("app");
const dialog = document.getElementById("case");
const page = {
  answer: null, receivedAt: 0, failure: null, limit: MODELS, urgent: 1,
  all: new Set(), unfolded: new Set(), searches: new Map(), span: 3600, isAsking: false,
  open: null, order: {}, events: new Map(),
  now: () => (page.answer ? page.answer.at + (performance.now() - page.receivedAt) / 1000 : Date.now() / 1000),
  change(how) {
    how();
    draw();
  },
  close() {
    history.replaceState(null, "", location.pathname + location.search);
    follow();
  },
  async look() {
    try {
      page.answer = await ask.overview(page.urgent, wholeModels);
      page.receivedAt = performance.now();
      page.failure = null;
    } catch (failure) {
      page.failure = failure;
    }
    draw();
  },
};

function draw() {
  const { level, headline } = standing(page);
  document.title = `${page.failure ? "No answer" : headline} · Tightrope`;
  document.getElementById("icon").setAttribute("href", `page/icon-${level === "none" ? "note" : level}.svg`);
  update(app, header(page), h("main", { id: "models", tabindex: "-1" }, models()), footer());
  drawCase();
}

/** The level, headline and sentence to show: those of the answer, or that there is none. */
function standing({ answer, failure }) {
  if (failure?.needsToken) {
    return { level: "note", headline: "This page needs a token.", sentence: "Type your name and the token of this gateway. Both are kept for this tab alone." };
  }
  if (failure) {
    const words = failure.message ? ` It says: ${failure.message}.` : "";
    const seen = answer ? `What you see is from ${clock(answer.at)}. ` : "";
    return { level: "blind", headline: GONE, sentence: `${seen}${LOOK_THERE}${words}` };
  }
  return answer ?? { level: "none", headline: "Asking Tightrope how things stand …", sentence: "" };
}

/** The head of the page. */
function header(page) {
  const { level, headline, sentence } = standing(page);
  return h("header", { class: `top level-${level}` },
    h("div", { class: "bar" }, h("a", { class: "brand", href: "#" }, "Tightrope"), h("span", { class: "fresh" }, freshness(page)), identity(page)),
    h("div", { class: "standing" },
      h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[level] ?? "…"),
      h("div", null, h("div", { role: "status" }, h("h1", null, headline)), h("p", null, sentence)))); // figures of the sentence change too often to be read aloud
}

function freshness({ answer, failure, now }) {
  if (!answer) return "";
  return failure ? `last answer ${duration(now() - answer.at)} ago` : `as of ${clock(answer.at)}`;
}

function models() {
  if (!page.answer) return null;
  const { cards } = page.answer;
  const more = () => {
    page.limit += MODELS;
    page.look();
  };
  return [cards.slice(0, page.limit).map((line) => card(page, line, cards.length === 1)),
    page.limit < cards.length && h("button", { key: "more models", class: "more-models", onclick: more },
      `Show ${Math.min(MODELS, cards.length - page.limit)} more of ${cards.length} models`)];
}

/** The names of the models of which all is shown. */
function wholeModels(cards) {
  page.urgent = Math.max(cards.slice(0, page.limit).filter(({ level }) => level !== "ok").length, 1);
  return cards.filter((line, i) => (i < page.limit && isWhole(page, line)) || line.name === page.open?.model).map(({ name }) => name);
}

function footer() {
  return h("footer", null, h("p", null, "The ", h("b", null, "full model"), " is the uncompressed one (the baseline); the ",
    h("b", null, "small model"), " is the compressed one made from it. Tightrope asks both about the same requests and lets the full one answer wherever the small one does harm. ",
    h("a", { href: "week" }, "The week"), ", ", h("a", { href: "review" }, "review"), ", ", h("a", { href: "docs" }, "API")),
  h("p", { class: "keys" }, "Keys: ", [["/", "find a group"], ["j", ""], ["k", "next and last group"], ["Enter", "its case"], ["Esc", "close"]]
    .map(([key, what]) => [h("kbd", null, key), ` ${what} `])));
}

function drawCase() {
  if (!page.open || !page.answer) return;
  const model = page.answer.models.find(({ name }) => name === page.open.model);
  const group = model && [model.everyone, ...model.groups].find(({ scope }) => scope === page.open.scope);
  if (!group) {
    if (model || !page.answer.cards.some(({ name }) => name === page.open.model)) page.close();
    return; // or the next look brings the model
  }
  const seq = page.open.seq ?? group.case;
  if (seq && !page.events.has(seq)) learn(model.name, seq);
  update(dialog, drawer(page, model, group, page.events.get(seq)));
  if (!dialog.open) {
    dialog.showModal();
    dialog.querySelector("h2").focus();
  }
}

async function learn(model, seq) {
  page.events.set(seq, null);
  try {
    page.events.set(seq, await ask.event(model, seq));
  } catch {
    page.events.delete(seq); // the next look asks again
    return;
  }
  draw();
}

/** Open the case that the address names, or close what is open. */
function follow() {
  const [, model, scope, seq] = location.hash.match(/^#\/([^/?]+)\/([^?]+)(?:\?event=(\d+))?/) ?? [];
  page.open = model ? { model: decoded(model), scope: decoded(scope), seq: seq && Number(seq) } : null;
  page.order = {};
  if (!page.open && dialog.open) dialog.close();
  drawCase();
  if (page.open && page.answer && !dialog.open) page.look();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // an address that was cut or typed wrong names no group
  }
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("dialog")) return;
  if (event.target.closest("input")) pressInField(event);
  else if (event.key === "/") goTo(event, document.querySelector(".find-group") ?? document.querySelector("a.group"));
  else step(event, { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key]);
}

function pressInField(event) {
  const found = () => event.target.closest(".model").querySelector("tr:not(.whole) a.group");
  if (event.key === "Escape") event.target.blur();
  else if (event.target.matches(".find-group") && ["Enter", "ArrowDown"].includes(event.key)) goTo(event, found());
}

/** From one group to the next or the last; the arrows scroll the page unless a group has the focus. */
function step(event, by) {
  const groups = [...document.querySelectorAll("a.group")];
  const place = groups.indexOf(document.activeElement);
  if (by && (place >= 0 || !event.key.startsWith("Arrow"))) goTo(event, groups[Math.max(place + by, 0)]);
}

function goTo(event, element) {
  event.preventDefault();
  element?.focus();
}

dialog.addEventListener("close", () => page.open && page.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
addEventListener("hashchange", follow);
addEventListener("keydown", press);
addEventListener("click", ask.follow);
document.addEventListener("visibilitychange", () => !document.hidden && page.look());

draw();
follow();
for (;;) {
  if (!document.hidden) await page.look();
  await new Promise((done) => setTimeout(done, EVERY));
}

/**
 * Who is at the page: a name and a token, typed once and kept for this tab alone. And the orders of an operator: each
 * shows what it will do, and needs a reason.
 */

import { h } from "./dom.js";
import { percent, rate } from "./words.js";

const STORED = "tightrope.operator";
const STAYS = "It stays there until somebody gives it back, whatever the evidence says.";
const WORDS = {
  "force-safe": "Let the full model answer",
  "force-normal": "Let the small model answer",
  release: "Give it back to Tightrope",
};
const UNCONFIRMED = "Done on this machine. The judge has not confirmed it yet: look again in a moment.";

/** The operator of this tab, or null. */
function operator() {
  return JSON.parse(sessionStorage.getItem(STORED) ?? "null");
}

/** The headers that show who asks. */
export function credentials() {
  const known = operator();
  return known ? { Authorization: `Bearer ${known.token}` } : {};
}

/** At the top of the page: the operator's name, or the way to say it. */
export function identity(page) {
  const known = operator();
  if (known) {
    const leave = () => page.change(() => sessionStorage.removeItem(STORED));
    return h("div", { key: "known", class: "me" }, known.name, h("button", { class: "plain", onclick: leave }, "Leave"));
  }
  if (page.isAsking || page.failure?.needsToken) return signIn(page, "top");
  const ask = () => {
    page.change(() => (page.isAsking = true));
    document.getElementById("top-name").focus();
  };
  return h("div", { key: "unknown", class: "me" }, "You can look.", h("button", { class: "plain", onclick: ask }, "I am an operator"));
}

/** The form for name and token. */
function signIn(page, place) {
  const enter = (event) => {
    event.preventDefault();
    const { name, token } = Object.fromEntries(new FormData(event.target));
    sessionStorage.setItem(STORED, JSON.stringify({ name: name.trim(), token: token.trim() }));
    page.change(() => (page.isAsking = false));
    page.look();
  };
  return h("form", { key: `${place}-form`, class: "me", onsubmit: enter },
    h("label", null, "Name ", h("input", { id: `${place}-name`, name: "name", required: true, maxlength: 200, pattern: ".*\\S.*", autocomplete: "username" })),
    h("label", null, "Token ", h("input", { name: "token", type: "password", required: true, pattern: "[!-~]+", title: "One word, without spaces", autocomplete: "off" })),
    h("button", null, "OK"));
}

/** What an order does to a group, in words. */
function preview(kind, group) {
  if (kind === "release") return "This moves no request at once. From now on the evidence decides again.";
  const share = `about ${rate(group.requests_per_second)} (${percent(group.share)} of requests)`;
  if (kind === "force-safe") return `This moves ${share} from the small to the full model. ${STAYS}`;
  return `This moves ${share} from the full to the small model. ${STAYS} Harm would be seen, and nobody would be protected from it.`;
}

/** The orders that change something for a group. */
function possible(group) {
  const force = group.answers === "full" ? "force-normal" : "force-safe";
  return group.held || group.state === "latched" ? [force, "release"] : [force];
}

/** The part of a case in which an operator decides. */
export function decide(page, model, group) {
  return h("section", { key: "orders", class: "orders" }, h("h3", null, "Decide yourself"), ...content(page, model, group),
    h("p", { role: "status", class: "result" }, page.order.result ?? ""));
}

function content(page, model, group) {
  if (!page.answer.control) return [h("p", null, "Orders are off: this gateway has no token for operators (TIGHTROPE_CONTROL_TOKEN).")];
  if (!operator()) {
    return [h("p", null, "Only an operator can. Usually there is nothing to do."), signIn(page, "case")];
  }
  const { kind } = page.order;
  const choose = (each) => page.change(() => (page.order = { kind: kind === each ? null : each }));
  const buttons = possible(group).map((each) => h("button", {
    key: each, "aria-expanded": String(kind === each), onclick: () => choose(each),
  }, WORDS[each]));
  return [h("div", { class: "buttons" }, buttons), kind && form(page, model, group)];
}

function form(page, model, group) {
  const { kind, isSending } = page.order;
  const send = (event) => {
    event.preventDefault();
    give(page, model, group.scope, new FormData(event.target).get("reason"));
  };
  return h("form", { key: kind, onsubmit: send }, h("p", { class: "preview" }, preview(kind, group)),
    h("label", null, "Why?", h("small", null, "It goes into the record beside your name."),
      h("input", { name: "reason", required: true, minlength: 3, maxlength: 1000, autocomplete: "off" })),
    h("button", { class: "go", disabled: Boolean(isSending) }, WORDS[kind]));
}

async function give(page, model, scope, reason) {
  const order = page.order;
  page.change(() => Object.assign(order, { isSending: true, result: "Waiting for the judge …" }));
  let result;
  try {
    result = await post(model.name, order.kind, { scope, reason: reason.trim(), actor: operator().name });
    order.kind = null;
  } catch (error) {
    result = `Not done: ${error.message}`;
  }
  page.change(() => Object.assign(order, { isSending: false, result }));
  page.look();
}

async function post(model, kind, order) {
  if (order.reason.length < 3) throw new Error("say in a few words why.");
  const answer = await fetch(`v1/models/${encodeURIComponent(model)}/${kind}`, {
    method: "POST", headers: { "Content-Type": "application/json", ...credentials() }, body: JSON.stringify(order),
  });
  const told = await answer.json();
  if (answer.status === 401) throw new Error("the token is not the one of this gateway. Leave at the top of the page, and type it again.");
  if (!answer.ok) throw new Error(told.error);
  const other = told.actor && told.actor !== order.actor ? ` as ${told.actor}, whose token it is` : "";
  return told.confirmed ? `Done, and on record${other}.` : UNCONFIRMED;
}

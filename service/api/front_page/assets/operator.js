/** Who is at the page: a name and a token, typed once and kept for this tab alone. */

import { h } from "./dom.js";

const STORED = "tightrope.operator";

/** The operator of this tab, or null. */
export function operator() {
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
export function signIn(page, place) {
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

/** The top of the page: how things stand, in one sentence that everybody understands. */

import { h } from "./dom.js";
import { SIGNS } from "./model.js";
import { identity } from "./operator.js";
import { clock, duration } from "./words.js";

const GONE = "Tightrope does not answer this page.";
const LOOK_THERE = "Callers may be served all the same: look at the gateway's own health first.";

/** The level, headline and sentence to show: those of the answer, or that there is none. */
export function standing({ answer, failure }) {
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
export function header(page) {
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

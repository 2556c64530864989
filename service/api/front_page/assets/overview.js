/** What the page asks the gateway. The browser keeps the answers, so that one that did not change is not sent again. */

import { credentials } from "./operator.js";

const PATIENCE = 3000; // milliseconds after which a gateway that does not answer counts as gone

/** An answer that is none: the gateway's own words, if it has any. */
export class NoAnswer extends Error {
  constructor(words, status) {
    super(words);
    this.needsToken = status === 401;
  }
}

/** The overview with a line for every model, and all of the most urgent ones and of those that are named. */
export async function overview(count, wanted) {
  const answer = await get(`v1/overview?limit=${count}`);
  const missing = wanted(answer.cards).filter((name) => !answer.models.some((model) => model.name === name));
  const others = await Promise.all(missing.map((name) => get(`v1/overview?model=${encodeURIComponent(name)}`)));
  return { ...answer, models: [...answer.models, ...others.flatMap(({ models }) => models)] };
}

/** One event of the audit trail. */
export async function event(model, seq) {
  const { events } = await get(`v1/events?model=${encodeURIComponent(model)}&after=${seq - 1}&limit=1`);
  return events.find((each) => each.seq === seq) ?? null;
}

/** Follow a link to data: what needs a token, which no link carries, is saved as a file. */
export async function follow(event) {
  const href = event.target.closest?.('[href^="v1"], [href="week"]')?.href;
  const headers = credentials();
  if (!href || !headers.Authorization) return;
  event.preventDefault();
  if ((await fetch(href, { method: "HEAD" })).ok) return location.assign(href);
  const blob = await (await fetch(href, { headers })).blob();
  Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "tightrope" }).click();
}

async function get(address) {
  let answer;
  try {
    answer = await fetch(address, { headers: credentials(), cache: "no-cache", signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new NoAnswer("");
  }
  const document = await answer.json().catch(() => null);
  if (!answer.ok || !document) throw new NoAnswer(document?.error ?? `status ${answer.status}`, answer.status);
  const sent = Date.parse(answer.headers.get("date")) / 1000; // an answer that did not change is older than this
  return { ...document, at: Math.max(document.at ?? 0, sent || 0) };
}

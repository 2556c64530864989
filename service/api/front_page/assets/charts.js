/** Small pictures as SVG. Their colours come from the style sheet, by class. */

import { h } from "./dom.js";
import { moment, wholePercent } from "./words.js";

const WIDTH = 200;
const LIMIT = 80; // a rate at its limit is drawn to here, in every row: what crosses the line is seen without reading
const MOST = WIDTH / LIMIT;
const NEAR = 0.75; // of the evidence that an alarm needs

/** A rate beside what is tolerated, with its range. */
export function rateBar({ rate, limit, range }) {
  const isKnown = rate !== null && rate !== undefined && limit;
  const share = Math.abs(rate);
  const x = (part) => Math.max(Math.min(part / limit, MOST), 0) * LIMIT;
  return h("svg", { class: "rate", viewBox: `0 0 ${WIDTH} 16`, preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { class: "ground", y: 4, width: WIDTH, height: 8 }),
    isKnown && h("rect", { class: share > limit ? "over" : "under", y: 4, width: Math.max(x(share), 1.5), height: 8 }),
    isKnown && range && h("line", { class: "range", x1: x(range[0]), x2: Math.max(x(range[1]), 1), y1: 8, y2: 8 }),
    isKnown && h("line", { class: "limit", x1: LIMIT, x2: LIMIT, y1: 0, y2: 16 }),
    isKnown && share / limit > MOST && h("path", { class: "beyond", d: "M191 4l5 4-5 4" }));
}

/** How much of a whole there is: of the evidence that an alarm needs, or of the proof for the way back. */
export function meter(share, isWayBack) {
  const part = Math.min(Math.max(share ?? 0, 0), 1);
  const kind = isWayBack ? "back" : part >= NEAR ? "near" : "some";
  return h("svg", { class: "meter", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("rect", { class: "ground", width: 100, height: 8 }),
    h("rect", { class: kind, width: part * 100, height: 8 }));
}

const LANES = 6;
const LANE = 20;
const TOP = 16;
const STRIP = 300;

/** When the full model answered whom, and above it the orders and deployments, for a number of seconds until now. */
export function timeline({ moves, history }, now, seconds) {
  const isShown = (span) => (span.to ?? now) > now - seconds;
  const lanes = moves.filter((one) => one.spans.some(isShown)).slice(0, LANES);
  const marks = history.filter(({ at, sort }) => now - at < seconds && (sort === "order" || sort === "change"));
  const x = (at) => Math.min(Math.max(1 - (now - at) / seconds, 0), 1) * STRIP;
  const bottom = TOP + lanes.length * LANE + 2;
  const label = lanes.length
    ? `The full model answered ${lanes.map((one) => one.title).join(", ")} in this time`
    : "The small model answered everybody in this time";
  return h("svg", { class: "strip", viewBox: `0 0 ${STRIP} ${bottom + 14}`, role: "img", "aria-label": label },
    [0, 1, 2, 3].map((i) => h("line", { class: "grid", x1: i * 100, x2: i * 100, y1: 0, y2: bottom })),
    lanes.map((one, i) => lane(one, TOP + i * LANE, x, isShown, now)),
    marks.map((mark) => h("g", { class: mark.sort },
      h("line", { class: "mark", x1: x(mark.at), x2: x(mark.at), y1: 10, y2: bottom }),
      h("path", { class: "mark", d: `M${x(mark.at)} 2l4 4-4 4-4-4z` },
        h("title", null, `${moment(mark.at, now)} ${mark.text}`)))),
    h("text", { x: 0, y: bottom + 12 }, moment(now - seconds, now)),
    h("text", { class: "end", x: STRIP, y: bottom + 12 }, "now"));
}

function lane({ title, spans }, top, x, isShown, now) {
  return h("g", null,
    h("rect", { class: "ground", width: STRIP, y: top + 5, height: 9 }),
    spans.filter(isShown).map((span) => {
      const start = x(span.from);
      return h("rect", { class: "span", x: start, width: Math.max(x(span.to ?? now) - start, 2), y: top + 5, height: 9 });
    }),
    h("text", { class: "name", x: 2, y: top + 3 }, title));
}

/** How the evidence of one monitor grew until the alarm. */
export function evidencePath({ path, evidence, threshold }) {
  const most = Math.max(threshold, ...path) * 1.08;
  const least = Math.min(0, ...path);
  const y = (value) => 72 - ((value - least) / (most - least)) * 66;
  const step = 292 / Math.max(path.length - 1, 1);
  const label = `The evidence grew to ${wholePercent(evidence / threshold)} of what an alarm needs`;
  return h("svg", { class: "path", viewBox: "0 0 300 78", role: "img", "aria-label": label },
    h("line", { class: "limit", x1: 0, x2: 300, y1: y(threshold), y2: y(threshold) }),
    h("text", { x: 2, y: y(threshold) + 11 }, "alarm"),
    h("polyline", { points: path.map((value, i) => `${(4 + i * step).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }));
}


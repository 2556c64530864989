/** Figures and times as people read them. */

const THIN = "\u202f";
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** A share, with at most one digit behind the point, and none from 10 % on. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  if (value > 0 && value < 0.1) return `under 0.1${THIN}%`;
  return `${short(value, Math.abs(value) >= 9.95 ? 0 : 1)}${THIN}%`;
}

/** A share in whole per cent, at least 0: that of the evidence that an alarm needs. */
export function wholePercent(share) {
  return share === null || share === undefined ? "–" : `${Math.round(Math.max(share, 0) * 100)}${THIN}%`;
}

/** The two ends of a range of shares. */
export function range([low, high]) {
  const digits = Math.max(Math.abs(low), Math.abs(high)) >= 0.0995 ? 0 : 1;
  const [from, to] = [low, high].map((end) => short(end * 100, digits));
  return `${from} to ${to}${THIN}%`;
}

function short(number, digits) {
  return number.toFixed(digits).replace(/\.0$/, "");
}

/** A count, in groups of three digits. */
export function count(number) {
  return Math.round(number).toLocaleString("en").replaceAll(",", THIN);
}

/** Requests a second, or a minute where they are few. */
export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return "–";
  if (perSecond > 0 && perSecond < 0.095) return `${(perSecond * MINUTE).toFixed(perSecond * MINUTE < 1 ? 1 : 0)}${THIN}/min`;
  return `${perSecond === 0 || perSecond >= 9.95 ? count(perSecond) : perSecond.toFixed(1)}${THIN}/s`;
}

/** A length of time, in its largest unit. */
export function duration(seconds) {
  const length = Math.max(seconds, 0);
  if (length < 90) return `${Math.round(length)}${THIN}s`;
  if (length < 90 * MINUTE) return `${Math.round(length / MINUTE)}${THIN}min`;
  if (length < 2 * DAY) return `${Math.round(length / HOUR)}${THIN}h`;
  return `${Math.round(length / DAY)} days`;
}

/** The time of day with seconds. */
export function clock(at) {
  return time(at, { second: "2-digit" });
}

/** The time of day, with the date unless it is today's. */
export function moment(at, now) {
  const isToday = new Date(at * 1000).toDateString() === new Date(now * 1000).toDateString();
  return isToday ? time(at) : date(at);
}

/** Day and time. */
export function date(at) {
  return `${new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time(at)}`;
}

function time(at, more = {}) {
  return new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...more });
}

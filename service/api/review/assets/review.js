/** The page for reviewers: two answers about one input, in an order that a coin decided. All of it works by keyboard. */

import { h, update } from "../page/dom.js";

const STORED = "tightrope.reviewer";
const PAUSE = 10000; // milliseconds between two looks while no row waits
const KEYS = { a: "a", b: "b", 0: "neither", 2: "both", "?": "unknown" };

const app = document.getElementById("app");
const state = { models: [], model: null, next: null, shownAt: 0, naming: false, told: "", answered: 0, failed: "", last: null, timer: 0 };
document.body.className = "review";

function token() {
  return sessionStorage.getItem(STORED);
}

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${token()}`, ...(options.body ? { "Content-Type": "application/json" } : {}) };
  const answer = await fetch(`v1/${path}`, { ...options, headers });
  const told = await answer.json();
  if (answer.status === 401) {
    sessionStorage.removeItem(STORED);
    throw new Error("This token is not one of a reviewer.");
  }
  if (!answer.ok) throw new Error(told.error);
  return told;
}

function ofModel(rest) {
  return `models/${encodeURIComponent(state.model)}/reviews/${rest}`;
}

/** Do something that asks the gateway, then draw; a failure is told and nothing is lost. */
async function attempt(action) {
  state.failed = "";
  try {
    await action();
  } catch (failure) {
    state.failed = failure instanceof TypeError ? "The gateway does not answer. Nothing was lost: try again in a moment." : failure.message;
  }
  draw();
}

async function enter() {
  state.models = (await ask("reviews")).models;
  state.model ??= state.models[0].name;
  await follow();
}

async function follow() {
  show(await ask(ofModel("next")));
}

function show(next) {
  clearTimeout(state.timer);
  Object.assign(state, { next, naming: false, shownAt: performance.now() });
  if (!next.row) state.timer = setTimeout(() => attempt(follow), PAUSE);
}

async function say(answer, label) {
  const seconds = Math.min((performance.now() - state.shownAt) / 1000, 86400);
  const body = JSON.stringify({ answer, label, seconds: Math.round(seconds * 10) / 10 });
  const { id } = state.next.row;
  await ask(ofModel(id), { method: "POST", body });
  state.last = id;
  state.answered += 1;
  state.told = "Kept. Press u to take it back.";
  await follow();
}

async function undo() {
  if (!state.last) throw new Error("There is no answer of yours to take back.");
  show(await ask(ofModel(state.last), { method: "DELETE" }));
  state.last = null;
  state.answered = Math.max(state.answered - 1, 0);
  state.told = "Taken back.";
}

/** The classes that neither answer names. */
function otherClasses({ row, classes }) {
  return classes.map((title, label) => [title, label]).filter(([title]) => title !== row.a && title !== row.b);
}

/** Whether one of the two answers must be right: there are no other classes. */
function isOneOfTwo({ row, classes }) {
  return !row.same && classes.length === 2;
}

function choose(answer) {
  if (answer === "neither" && isOneOfTwo(state.next)) return;
  if (answer === "neither" && otherClasses(state.next).length > 1 && !state.naming) {
    state.naming = true;
    draw();
    document.getElementById("named").focus();
    return;
  }
  attempt(() => say(answer));
}

function draw() {
  const row = state.next?.row;
  update(app, top(), h("main", null, !token() ? signIn() : row ? [question(row), input(row), answers(row), told()] : [nothing(), told()]));
  paint(row);
}

function top() {
  const many = state.models.length > 1 && h("select", { "aria-label": "Model", onchange: change }, state.models.map(({ name }) => h("option", { value: name, selected: name === state.model }, name)));
  return h("header", { class: "top" }, h("div", null, h("div", { class: "bar" },
    h("a", { class: "brand", href: "./" }, "Tightrope"), h("span", null, "Review"), token() && many,
    h("span", { class: "fresh" }, state.next && token() ? `${state.next.waiting} waiting · ${state.answered} answered by you just now` : ""),
    token() && h("button", { class: "plain", onclick: leave }, "Leave"))));
}

function change(event) {
  Object.assign(state, { model: event.target.value, last: null });
  attempt(follow);
}

function leave() {
  clearTimeout(state.timer);
  sessionStorage.removeItem(STORED);
  Object.assign(state, { next: null, told: "", failed: "" });
  draw();
}

function signIn() {
  const submit = (event) => {
    event.preventDefault();
    sessionStorage.setItem(STORED, new FormData(event.target).get("token").trim());
    attempt(enter);
  };
  return h("form", { key: "sign-in", class: "sign-in", onsubmit: submit }, h("h1", null, "Review answers"),
    h("p", null, "You see what was asked and two answers, and say which is right. What you say becomes a label; your name does not leave this machine."),
    h("label", null, "Your token", h("input", { name: "token", type: "password", required: true, pattern: "[!-~]+", title: "One word, without spaces", autocomplete: "off" })),
    h("button", { class: "go" }, "Begin"), told());
}

function nothing() {
  return h("p", { class: "question", key: "nothing" }, state.next ? "No row waits for you. This page looks again every ten seconds." : "One moment …");
}

function question(row) {
  return h("h1", { class: "question", key: "question" }, row.same ? "Is this answer right?" : "Which answer is right?");
}

function input({ input: { columns, texts, pictures, left_out: left } }) {
  return h("section", { class: "input", key: "input", "aria-label": "What was asked" }, h("h2", null, "What was asked"),
    columns.length > 0 && h("dl", { class: "values" }, columns.map(({ title, value }) => h("div", null, h("dt", null, title), h("dd", null, value)))),
    texts.map(({ value }) => h("pre", { tabindex: "0" }, value)),
    pictures.map(({ title, width, height }) => h("canvas", { width, height, role: "img", "aria-label": `A picture, ${title}` })),
    left && h("p", { class: "none" }, `${left} more values are not shown.`));
}

function answers(row) {
  const cards = row.same
    ? h("div", { class: "answers same", key: "same" }, h("div", { class: "both" }, h("small", null, "Both answers"), row.a))
    : h("div", { class: "answers", key: "two" }, ["a", "b"].map((side) => h("button", { onclick: () => choose(side) },
      h("small", null, `${side.toUpperCase()} `, h("kbd", null, side)), row[side])));
  const others = [["both", row.same ? "It is right" : "Both", "2"], ["neither", row.same ? "It is wrong" : "Neither", "0"], ["unknown", "Cannot tell", "?"]]
    .filter(([answer]) => answer !== "neither" || !isOneOfTwo(state.next));
  return h("section", { key: "answers", class: "decide", "aria-label": "Answers" }, cards,
    h("div", { class: "others" }, others.map(([answer, words, key]) => h("button", { onclick: () => choose(answer) }, `${words} `, h("kbd", null, key))),
      h("button", { class: "plain", onclick: () => attempt(undo) }, "Undo ", h("kbd", null, "u"))),
    state.naming && named());
}

function named() {
  const submit = (event) => {
    event.preventDefault();
    const chosen = new FormData(event.target).get("label");
    attempt(() => say("neither", chosen === "" ? undefined : Number(chosen)));
  };
  return h("form", { class: "named", onsubmit: submit }, h("label", null, "Which one is right, if you know?",
    h("select", { id: "named", name: "label" }, h("option", { value: "" }, "I do not know"), otherClasses(state.next).map(([title, label]) => h("option", { value: label }, title)))),
  h("button", { class: "go" }, "Keep"));
}

function told() {
  return h("p", { key: "told", role: "status", class: "told" }, state.failed || state.told);
}

/** Draw the pictures; their bytes never become HTML. */
function paint(row) {
  const canvases = document.querySelectorAll(".input canvas");
  row?.input.pictures.forEach(({ width, height, channels, pixels }, index) => {
    const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let side = 0; side < 3; side++) image.data[4 * i + side] = bytes[i * channels + (channels === 3 ? side : 0)];
      image.data[4 * i + 3] = 255;
    }
    canvases[index].getContext("2d").putImageData(image, 0, 0);
  });
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !token()) return;
  if (event.target.closest("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "u") attempt(undo);
  else if (state.next?.row && event.key in KEYS && !(state.next.row.same && ["a", "b"].includes(event.key))) choose(KEYS[event.key]);
  else return;
  event.preventDefault();
});

draw();
if (token()) attempt(enter);

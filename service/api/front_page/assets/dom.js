/**
 * Descriptions of elements, and the update of the page to them: an element that is described again stays, and so do its
 * focus and the text that was typed into it. Texts become text nodes, and nothing is ever read as HTML.
 */

const SVG = "http://www.w3.org/2000/svg";
const HTML = "http://www.w3.org/1999/xhtml";
const attributesOf = new WeakMap();

/**
 * Describe an element. Of the attributes, `key` names it among its siblings, a function is a listener, true is an
 * attribute without a value, and null, undefined and false are left out, as they are of the children.
 */
export function h(tag, attributes, ...children) {
  return { tag, attributes: attributes ?? {}, children: children.flat(Infinity).map(text) };
}

/** Make the children of an element those that are described. */
export function update(parent, ...children) {
  const focused = document.activeElement;
  updateChildren(parent, children.flat(Infinity).map(text));
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

/** A child that is left out is an empty text: those after it keep their places. */
function text(child) {
  if (child === null || child === undefined || child === false) return "";
  return typeof child === "object" ? child : String(child);
}

function updateChildren(parent, children) {
  const keys = new Set(children.map(keyOf));
  const keyed = new Map();
  for (const node of [...parent.childNodes]) {
    const key = attributesOf.get(node)?.key;
    if (key === undefined) continue;
    if (keys.has(key)) keyed.set(key, node);
    else node.remove();
  }
  let next = parent.firstChild;
  for (const child of children) {
    const key = keyOf(child);
    const old = key === undefined ? unkeyed(next) : keyed.get(key);
    const node = old && isOf(old, child) ? old : create(child, parent);
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
    if (old && old !== node) {
      if (old === next) next = next.nextSibling;
      old.remove();
    }
    fill(node, child);
  }
  while (next) {
    const last = next;
    next = next.nextSibling;
    last.remove();
  }
}

function keyOf(child) {
  return child.attributes?.key;
}

function unkeyed(node) {
  return attributesOf.get(node)?.key === undefined ? node : null;
}

function isOf(node, child) {
  return typeof child === "string" ? node.nodeType === Node.TEXT_NODE : node.localName === child.tag;
}

function create(child, parent) {
  if (typeof child === "string") return document.createTextNode("");
  return document.createElementNS(child.tag === "svg" || parent.namespaceURI === SVG ? SVG : HTML, child.tag);
}

function fill(node, child) {
  if (typeof child === "string") {
    if (node.data !== child) node.data = child;
    return;
  }
  const before = attributesOf.get(node) ?? {};
  attributesOf.set(node, child.attributes);
  for (const name of Object.keys(before)) {
    if (!(name in child.attributes)) set(node, name, null, before[name]);
  }
  for (const [name, value] of Object.entries(child.attributes)) {
    if (value !== before[name]) set(node, name, value, before[name]);
  }
  updateChildren(node, child.children);
}

/** Set an attribute; a listener is found again at each event, so that it is that of the newest description. */
function set(node, name, value, before) {
  if (name === "key") return;
  if (typeof value === "function") {
    if (typeof before !== "function") node.addEventListener(name.slice(2), notify);
  } else if (typeof before === "function") {
    node.removeEventListener(name.slice(2), notify);
  } else if (value === null || value === undefined || value === false) {
    node.removeAttribute(name);
  } else {
    node.setAttribute(name, value === true ? "" : value);
  }
}

function notify(event) {
  attributesOf.get(event.currentTarget)[`on${event.type}`](event);
}

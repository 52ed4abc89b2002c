/** Makes elements, and says times and shares as people do. */

/**
 * An element with properties and children.
 *
 * `on` holds listeners, `data` data attributes, `aria` ARIA attributes; `class`, `role`, `for` and the like are
 * attributes. Text is always a text node: nothing from a file name or a question is ever read as HTML.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  set(element, properties);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SETTERS = {
  on: (element, kind, listen) => element.addEventListener(kind, listen),
  data: (element, name, value) => (element.dataset[name] = value),
  aria: (element, name, value) => element.setAttribute(`aria-${name}`, value),
  style: (element, name, value) => element.style.setProperty(name, value),
};

function set(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name in SETTERS) Object.entries(value).forEach(([key, each]) => SETTERS[name](element, key, each));
    else if (name in element && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes and children. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One of the drawings of `index.html`, by its name. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#icon-${name}` }));
}

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** A time within a video: 3.26 is 0:03.3. */
export function clock(seconds) {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  const [minutes, rest] = [Math.floor(tenths / 600), tenths % 600];
  const tail = `${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** How long something is, without tenths: 75 is 1:15. */
export const length = (seconds) => clock(Math.round(seconds)).replace(/\.\d$/, "");

/** A confidence; none is beyond doubt. */
export function percent(share) {
  const whole = Math.round(share * 100);
  return whole < 1 ? "<1%" : whole > 99 ? ">99%" : `${whole}%`;
}

/** A similarity with its sign: 0.254 is +0.25. */
export const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

/** 1 hit, 2 hits. */
export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** A path's last part. */
export const nameOf = (path) => path.split(/[\\/]/).pop() || path;

/** The folder that a path lies in; empty without one. */
export const folderOf = (path) => path.slice(0, Math.max(0, path.length - nameOf(path).length - 1));

/** Calls after a pause: the last of several calls that come quickly. */
export function later(call, pause) {
  let timer = 0;
  const put = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), pause);
  };
  put.cancel = () => clearTimeout(timer);
  return put;
}

/** Tells screen readers, without moving what is focused. */
export function say(words) {
  const region = byId("said");
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = words));
}

/** A short notice at the foot of the window, which goes by itself. */
export function notice(words) {
  const place = byId("notice");
  place.textContent = words;
  place.hidden = false;
  say(words);
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => (place.hidden = true), 4000);
}

/** A small button that is a drawing; its words are read out, and shown when it is pointed at. */
export function iconButton(name, words, click, properties = {}) {
  const { className = "", ...others } = properties;
  const all = { type: "button", className: `plain small ${className}`, title: words, aria: { label: words } };
  return el("button", { ...all, ...others, on: { click } }, icon(name));
}

/** Fill a dialog that closes by its cross, by Escape, and by a click beside it. */
export function fillDialog(dialog, titleId, title, ...content) {
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  const close = iconButton("cross", "Close", () => dialog.close(), { title: "Close (Escape)" });
  dialog.replaceChildren(
    el("div", { className: "dialog-head" }, el("h2", { id: titleId }, title), close),
    ...content,
  );
}

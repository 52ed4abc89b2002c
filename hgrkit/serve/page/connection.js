/** Asks the server every few seconds how it is, and says when it does not answer or wants its token. */

import { health } from "./api.js";
import { byId, el, fillDialog, icon, notice } from "./dom.js";

const EVERY_MS = 5000;

export class Connection {
  /** `on.health(health)` has each answer; `on.changed()` is called when the library is another than before. */
  constructor(on) {
    this.on = on;
    this.health = null;
    this.retry = null;
  }

  /** Ask now, and from then on. */
  async start() {
    setInterval(() => this.check(), EVERY_MS);
    await this.check();
  }

  async check() {
    try {
      const before = this.health;
      this.health = await health();
      this.on.health(this.health);
      if (!byId("gone").hidden) this.isBack();
      if (before && before.library.token !== this.health.library.token) this.on.changed();
    } catch (error) {
      this.failed(error);
    }
  }

  /** What an error says of the connection; `again` is called once the server is back. */
  failed(error, again = null) {
    if (error.status === 401) this.askForToken();
    else if (error.gone) this.isGone(again);
  }

  isGone(again) {
    this.retry = again ?? this.retry;
    const place = byId("gone");
    if (!place.hidden) return;
    place.hidden = false;
    place.replaceChildren(
      icon("warn"),
      el(
        "p",
        {},
        el("strong", {}, "The server does not answer."),
        " Is ",
        el("code", {}, "hgrkit serve"),
        " still running? This page asks again every few seconds.",
      ),
      el("button", { type: "button", on: { click: () => this.check() } }, "Ask now"),
    );
  }

  isBack() {
    byId("gone").hidden = true;
    notice("The server is back.");
    const again = this.retry;
    this.retry = null;
    again?.();
  }

  askForToken() {
    const dialog = byId("key");
    if (dialog.open) return;
    const input = el("input", { type: "password", id: "token", required: true, autocomplete: "current-password" });
    // So that a password manager can keep the token.
    const name = el("input", { type: "text", value: "hgrkit", autocomplete: "username", hidden: true });
    const enter = (event) => {
      event.preventDefault();
      location.assign(`./?token=${encodeURIComponent(input.value.trim())}${location.hash}`);
    };
    const form = el(
      "form",
      { on: { submit: enter } },
      name,
      el("label", { for: "token" }, "The token that hgrkit serve was started with"),
      el(
        "div",
        { className: "field-row" },
        input,
        el("button", { type: "submit", className: "main" }, "Continue"),
      ),
    );
    fillDialog(dialog, "key-title", "This server wants its token", form);
    dialog.showModal();
    input.focus();
  }
}

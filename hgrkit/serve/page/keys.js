/** Keys: the same everywhere, and none that a form field or a button needs for itself. */

import { byId } from "./dom.js";
import { hasKeys } from "./help.js";
import { focusItem, openButtons, stepFrom } from "./hits.js";

const WRITES = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select";
const USES_SPACE = "button, a, summary, input, video";

const focused = () => document.activeElement;
const isInPlayer = () => byId("watch").contains(focused());

/** What the keys do. Each method tells whether it did something. */
export class Keys {
  /** `page` has its `state` and `player`, and does `closePlayer()` and `alike(hit)`. */
  constructor(page) {
    Object.assign(this, page);
    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (this.press(event)) event.preventDefault();
    });
  }

  press({ key, target }) {
    if (key === "Escape") return this.escape();
    if (target.closest?.("dialog, [popover]")) return false;
    if (/^Arrow|^Home$|^End$/.test(key)) return this.arrow(key);
    if (target.closest?.(WRITES)) return false;
    if (key === " ") return this.space();
    return hasKeys() && (this.anywhere(key) || this.onHit(key));
  }

  escape() {
    if (document.querySelector("dialog[open], [popover]:popover-open")) return false;
    const isAtHit = isInPlayer() || focused().closest(".hit, .video");
    if (this.player.isOpen && isAtHit) this.closePlayer();
    else if (focused() === byId("text"))
      return false; // the browser empties the field
    else byId("text").focus();
    return true;
  }

  space() {
    const isChosenHit = focused().matches(".hit.chosen .open");
    if (!this.player.isOpen || (focused().closest(USES_SPACE) && !isChosenHit)) return false;
    this.player.toggle();
    return true;
  }

  arrow(key) {
    if (focused() === byId("text")) return key === "ArrowDown" && this.intoList();
    if (this.player.isOpen && focused().matches(".hit .open") && /Left|Right/.test(key)) {
      this.player.seek(this.player.now + (key === "ArrowLeft" ? -1 : 1));
      return true;
    }
    const moved = stepFrom(byId("hits"), key);
    if (moved === "before") byId("text").focus();
    return moved !== null;
  }

  intoList() {
    const areHits = !byId("answer").hidden;
    const buttons = openButtons(byId(areHits ? "hits" : "videos"));
    const current = buttons.findIndex((button) => button.hasAttribute("aria-current"));
    if (areHits) focusItem(buttons, Math.max(0, current));
    else buttons[0]?.focus();
    return buttons.length > 0;
  }

  anywhere(key) {
    if (key === "/") {
      byId("text").focus();
      byId("text").select();
    }
    if (key === "?") byId("help").showModal();
    return key === "/" || key === "?";
  }

  onHit(key) {
    const hit = this.hitAtHand();
    if (!hit) return false;
    if (key === "m") this.alike(hit);
    else if (key === "r" && this.player.isOpen) this.player.playMoment();
    else if (key === "f") byId("refine-open").click();
    else return false;
    return true;
  }

  /** The hit that has the focus, or that plays where the player has it. */
  hitAtHand() {
    const rank = Number(focused().closest(".hit")?.dataset.rank);
    const hit = this.state.result?.hits.find((each) => each.rank === rank);
    return hit ?? (isInPlayer() ? this.player.hit : null);
  }
}

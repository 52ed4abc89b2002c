/** Keys: the same everywhere, and none that a form field or a button needs for itself. */

import { byId } from "./dom.js";
import { hasKeys } from "./help.js";
import { focusItem, openButtons, stepFrom } from "./hits.js";

const WRITES = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select";
const USES_SPACE = "button, a, summary, input, video";

/**
 * Listen to the keyboard for the whole page.
 *
 * @param page its `state` and `player`, and what keys do: `closePlayer()` and `alike(hit)`.
 */
export function setUpKeys({ state, player, closePlayer, alike }) {
  const focused = () => document.activeElement;
  const isInPlayer = () => byId("watch").contains(focused());

  /** The hit that has the focus, or that plays where the player has it. */
  function hitAtHand() {
    const rank = Number(focused()?.closest(".hit")?.dataset.rank);
    return state.result?.hits.find((hit) => hit.rank === rank) ?? (isInPlayer() ? player.hit : null);
  }

  const ofHits = { m: alike, r: () => player.isOpen && player.playMoment(), f: () => byId("refine-open").click() };

  function single(key) {
    if (key === "/") {
      byId("text").focus();
      byId("text").select();
      return true;
    }
    if (key === "?") {
      byId("help").showModal();
      return true;
    }
    const hit = hitAtHand();
    if (!hit || !(key in ofHits)) return false;
    ofHits[key](hit);
    return true;
  }

  function escape() {
    if (document.querySelector("dialog[open], [popover]:popover-open")) return false;
    const isAtHit = isInPlayer() || focused()?.closest(".hit, .video");
    if (player.isOpen && isAtHit) closePlayer();
    else if (focused() === byId("text"))
      return false; // the browser empties the field
    else byId("text").focus();
    return true;
  }

  function space() {
    const isChosen = focused()?.closest(".hit.chosen .open");
    if (!player.isOpen || (focused()?.closest(USES_SPACE) && !isChosen)) return false;
    player.toggle();
    return true;
  }

  function intoList() {
    const list = byId("answer").hidden ? byId("videos") : byId("hits");
    const buttons = openButtons(list);
    if (!buttons.length) return false;
    const current = Math.max(
      0,
      buttons.findIndex((button) => button.hasAttribute("aria-current")),
    );
    if (list.id === "hits") focusItem(buttons, current);
    else buttons[0].focus();
    return true;
  }

  function arrow(key) {
    if (focused() === byId("text")) return key === "ArrowDown" && intoList();
    if (player.isOpen && focused()?.matches(".hit .open") && /Left|Right/.test(key)) {
      player.seek(player.now + (key === "ArrowLeft" ? -1 : 1));
      return true;
    }
    const moved = stepFrom(byId("hits"), key);
    if (moved === "before") byId("text").focus();
    return moved !== null;
  }

  /** Do what a key does; whether it did something. */
  function press(event) {
    const { key, target } = event;
    if (key === "Escape") return escape();
    if (target.closest?.("dialog, [popover]")) return false;
    if (/^Arrow|^Home$|^End$/.test(key)) return arrow(key);
    if (target.closest?.(WRITES)) return false;
    if (key === " ") return space();
    return hasKeys() && single(key);
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (press(event)) event.preventDefault();
  });
}

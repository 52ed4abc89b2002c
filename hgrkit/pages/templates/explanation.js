(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const graph = document.querySelector(".graph");
  let pinned = null;
  document.documentElement.classList.add("scripted");

  function clear() {
    for (const name of ["lit", "lighting", "one-frame"]) {
      all("." + name).forEach((element) => element.classList.remove(name));
    }
  }

  function light(nodes, article, frame) {
    clear();
    for (const element of all("[data-node]", graph)) {
      element.classList.toggle("lit", nodes.includes(element.dataset.node));
    }
    graph.classList.add("lighting");
    for (const hit of article ? [article] : all("article")) {
      hit.classList.add("lighting");
      hit.classList.toggle("one-frame", Boolean(frame));
      for (const row of all("[data-row]", hit)) {
        row.classList.toggle("lit", nodes.includes(row.dataset.row));
      }
      for (const film of all("[data-nodes]", hit)) {
        const shared = film.dataset.nodes.split(" ").some((node) => nodes.includes(node));
        film.classList.toggle("lit", frame ? film === frame : shared);
      }
      if (frame) {
        const [start, stop] = frame.dataset.times.split(" ").map(Number);
        for (const heat of all(".heat", hit)) {
          all(".column", heat).slice(start, stop).forEach((cell) => cell.classList.add("lit"));
        }
      }
    }
  }

  function show(target) {
    const element = target instanceof Element ? target : null;
    const frame = element && element.closest("[data-nodes]");
    const phrase = element && (element.closest("[data-node]") || element.closest("[data-row]"));
    if (frame) light(frame.dataset.nodes.split(" "), frame.closest("article"), frame);
    else if (phrase) light([phrase.dataset.node || phrase.dataset.row], phrase.closest("article"));
    else if (pinned) light([pinned.dataset.node], pinned.closest("article"));
    else clear();
  }

  function pin(button) {
    if (pinned) pinned.setAttribute("aria-pressed", "false");
    pinned = button === pinned ? null : button;
    if (pinned) pinned.setAttribute("aria-pressed", "true");
    show(pinned);
  }

  document.addEventListener("pointerover", (event) => show(event.target));
  document.documentElement.addEventListener("pointerleave", () => show(null));
  document.addEventListener("focusin", (event) => show(event.target));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) pin(button);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      pin(pinned);
      return;
    }
    const film = event.target.closest("[data-nodes]");
    const step = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[event.key];
    const next = film && step && film[step];
    if (next) {
      film.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      event.preventDefault();
    }
  });
})();

"""What the browser tests measure: contrast of texts and graphics as they are drawn, from computed styles."""

from __future__ import annotations

import re

TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const shown = node.textContent.trim() && element.checkVisibility({ visibilityProperty: true });
    if (!shown || element.closest("script, style, title, desc")) continue;
    const box = element instanceof SVGElement && element.closest("g");
    const style = getComputedStyle(element);
    const layers = box ? [getComputedStyle(box.querySelector("rect")).fill] : [];
    let opacity = 1;
    for (let above = element; above; above = above.parentElement) {
      const aboveStyle = getComputedStyle(above);
      if (!(above instanceof SVGElement)) layers.push(aboveStyle.backgroundColor);
      opacity *= Number(aboveStyle.opacity);
    }
    const colour = element instanceof SVGElement ? style.fill : style.color;
    found.push({ name: node.textContent.trim(), colour, opacity, layers });
  }
  return found;
}"""
"""Every text that is shown, its colour, and the grounds below it, the nearest first."""

GRAPHICS = """(kinds) => kinds.flatMap(([selector, property]) =>
  [...document.querySelectorAll(selector)].map((element) => {
    const track = element.closest("svg")?.querySelector(".track");
    const layers = track ? [getComputedStyle(track).fill] : [];
    for (let above = element.parentElement; above; above = above.parentElement) {
      if (!(above instanceof SVGElement)) layers.push(getComputedStyle(above).backgroundColor);
    }
    const style = getComputedStyle(element);
    return { name: selector, colour: style[property], opacity: Number(style.opacity), layers };
  }))"""
"""Every graphic of some kinds, `[selector, property that holds its colour]`, and the grounds below it."""


def contrast(seen):
    """WCAG 2.2's contrast ratio of one thing that was seen, from 1 to 21."""
    ground = (255.0, 255.0, 255.0)
    for layer in reversed(seen["layers"]):
        ground = _over(_parsed(layer), ground)
    *ink, alpha = _parsed(seen["colour"])
    drawn = _over((*ink, alpha * seen["opacity"]), ground)
    lighter, darker = sorted((_luminance(drawn), _luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _parsed(colour):
    """`rgb(1, 2, 3)` or `rgba(1, 2, 3, 0.5)`."""
    red, green, blue, *alpha = map(float, re.findall(r"[\d.]+", colour))
    assert colour.startswith("rgb"), colour
    return red, green, blue, alpha[0] if alpha else 1.0


def _over(colour, ground):
    *ink, alpha = colour
    return tuple(alpha * above + (1 - alpha) * below for above, below in zip(ink, ground, strict=True))


def _luminance(colour):
    parts = (value / 255 for value in colour)
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

// A transaction on the axis of time, and bars with their errors.
import { el, fill, svg } from "./dom.js";
import { block, chip, label } from "./classes.js";
import { duration, exact, tick } from "./format.js";

const steps = [10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 20e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3];

/** drawAxis draws the segments of a record, and below them the waits for locks. */
export const drawAxis = (node, r) => {
  const whole = Math.max(1, r.elapsed.ms, ...r.segments.map((s) => s.to_ms));
  const share = (ms) => (ms / whole) * 100 + "%";
  const boxes = r.segments.map((s) =>
    svg(
      "svg",
      { x: share(s.from_ms), width: share(s.to_ms - s.from_ms), y: 0, height: 40 },
      svg("title", null, `${label(s.class)}: ${exact(s.from_ms)} to ${exact(s.to_ms)}${s.frame ? "\n" + s.frame : ""}`),
      block(s.class, { x: 0, y: 0, width: "100%", height: "100%" }),
      (s.to_ms - s.from_ms) / whole > 0.05 && svg("text", { x: 6, y: 16 }, label(s.class) + " " + duration(s.to_ms - s.from_ms)),
      (s.to_ms - s.from_ms) / whole > 0.12 && s.frame && svg("text", { x: 6, y: 32, class: "sub" }, s.frame.replace(/^.*\.([\w$]+\.[\w$<>]+)$/, "$1")),
    ),
  );
  const locks = r.locks.map((lock) =>
    svg(
      "svg",
      { x: share(lock.from_ms), width: share(lock.to_ms - lock.from_ms), y: 44, height: 18 },
      svg("title", null, `waits for ${lock.lock}${lock.owners[0] ? ", held by " + lock.owners[0].thread : ""}`),
      svg("rect", { x: 0, y: 0, width: "100%", height: "100%", class: "held" }),
      (lock.to_ms - lock.from_ms) / whole > 0.1 && svg("text", { x: 6, y: 13, class: "sub" }, "held by " + (lock.owners[0] ? lock.owners[0].thread : "nobody seen")),
    ),
  );
  const height = locks.length ? 66 : 44;
  const step = steps.find((s) => whole / s <= 10) || 3600e3;
  const ticks = [];
  for (let t = 0; t <= whole; t += step) {
    const end = t / whole > 0.95;
    ticks.push(svg("line", { x1: share(t), x2: share(t), y1: 0, y2: height, class: "tick" }), svg("text", { x: share(t), y: height + 13, class: "sub", "text-anchor": t === 0 ? "start" : end ? "end" : "middle" }, tick(t)));
  }
  const there = [...new Set(r.segments.map((s) => s.class))];
  fill(
    node,
    svg("svg", { class: "axis", height: height + 18, role: "img", "aria-label": "segments over time; the table below has them" }, ticks, boxes, locks),
    el("p", { class: "keys" }, there.map((c) => chip(c))),
  );
};

/** errorBar is the bar of {class, ms, error_ms} with a whisker; most is the whole width. */
export const errorBar = (c, most) => {
  const share = (ms) => (Math.max(0, ms) / most) * 100 + "%";
  const [low, high] = [share(c.ms - c.error_ms), share(c.ms + c.error_ms)];
  return svg(
    "svg",
    { class: "whiskered", role: "img", "aria-label": `${exact(Math.max(0, c.ms - c.error_ms))} to ${exact(c.ms + c.error_ms)}` },
    svg("svg", { width: share(c.ms), height: "100%" }, block(c.class, { x: 0, y: 3, width: "100%", height: 14 })),
    c.error_ms > 0 && [svg("line", { x1: low, x2: high, y1: 10, y2: 10 }), svg("line", { x1: low, x2: low, y1: 5, y2: 15 }), svg("line", { x1: high, x2: high, y1: 5, y2: 15 })],
  );
};

// What a transaction spends its time on: the name of each class, its pattern on top of its
// colour (base.css: --c-CLASS), and its shape as a dot. None of them stands alone: names are
// always at hand.
import { el, svg } from "./dom.js";

/** classes in the order of charts: id -> {label, over, shape, what}. */
export const classes = {
  cpu: { label: "CPU", shape: "triangle", what: "on a processor" },
  run_queue: { label: "run queue", over: "hatch", shape: "triangle", what: "ready to run, without a processor" },
  gc: { label: "GC", over: "cross", shape: "triangle", what: "stopped by the JVM, as a rule for a collection" },
  sql: { label: "SQL", shape: "circle", what: "waits for a database" },
  pool: { label: "pool", over: "hatch", shape: "circle", what: "waits for a connection of a pool" },
  http: { label: "HTTP", shape: "diamond", what: "waits for an HTTP server" },
  messaging: { label: "messaging", over: "dots", shape: "diamond", what: "waits for a broker" },
  store: { label: "store", over: "cross", shape: "diamond", what: "waits for another data store" },
  lock: { label: "lock", shape: "square", what: "waits for a lock" },
  file: { label: "file", shape: "down", what: "waits for a file" },
  logging: { label: "logging", over: "dots", shape: "down", what: "waits for the log" },
  network: { label: "network", over: "hatch", shape: "diamond", what: "waits for another socket" },
  client: { label: "client", over: "dots", shape: "ring", what: "waits for the client's own bytes" },
  async: { label: "async", over: "hatch", shape: "ring", what: "goes on without a thread of the server" },
  wait: { label: "wait", shape: "ring", what: "any other wait" },
  unknown: { label: "unknown", over: "cross", shape: "ring", what: "nobody looked" },
};

/** classOf is a class that this page knows. */
export const classOf = (id) => (Object.hasOwn(classes, id) ? id : "unknown");

/** label of a class. */
export const label = (id) => classes[classOf(id)].label;

const patterns = () => {
  const pattern = (id, size, ...marks) => svg("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse" }, marks);
  const line = (d) => svg("path", { d, class: "over-line" });
  return svg(
    "svg",
    { class: "defs", "aria-hidden": "true" },
    svg(
      "defs",
      null,
      pattern("over-hatch", 7, line("M-1,1 l2,-2 M0,7 l7,-7 M6,8 l2,-2")),
      pattern("over-cross", 7, line("M0,7 l7,-7 M0,0 l7,7")),
      pattern("over-dots", 6, svg("circle", { cx: 3, cy: 3, r: 1.2, class: "over-dot" })),
    ),
  );
};
document.addEventListener("DOMContentLoaded", () => document.body.append(patterns()));
if (document.readyState !== "loading") document.body.append(patterns());

/** block is a rectangle of a class with its pattern; place has x, y, width, height. */
export const block = (id, place, ...inside) => {
  const over = classes[classOf(id)].over;
  return svg(
    "g",
    { class: "block" },
    svg("rect", { ...place, class: "c-" + classOf(id) }),
    over && svg("rect", { ...place, class: "o-" + over }),
    inside,
  );
};

/** chip names a class beside its colour and pattern. */
export const chip = (id) =>
  el(
    "span",
    { class: "chip", title: classes[classOf(id)].what },
    svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, block(id, { x: 0, y: 0, width: 14, height: 14 })),
    label(id),
  );

/**
 * strip is a bar of parts that have a class, as wide as their values are of whole. say(part,
 * wide) is what a part says in that many percent of the width, or, for Infinity, its title.
 */
export const strip = (parts, value, whole, say) => {
  let x = 0;
  const boxes = parts.map((part) => {
    const width = whole > 0 ? (value(part) / whole) * 100 : 0;
    const text = width > 6 && say(part, width);
    const box = svg(
      "svg",
      { x: x + "%", y: 0, width: width + "%", height: "100%" },
      svg("title", null, (label(part.class) + " " + say(part, Infinity)).trim()),
      block(part.class, { x: 0, y: 0, width: "100%", height: "100%" }),
      text && svg("text", { x: 5, y: "50%", dy: ".35em" }, text),
    );
    x += width;
    return box;
  });
  return svg("svg", { class: "strip" }, boxes);
};

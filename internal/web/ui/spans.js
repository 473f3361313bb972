// The spans of a transaction: the application's own account, on the same axis of time.
import { byId, el, fill, setText, svg } from "./dom.js";
import { block, chip } from "./classes.js";
import { count, exact, micros } from "./format.js";

// Spans shorter than this share of the transaction are shown only when all are wanted.
const visible = 0.005;

const time = (us) => (us < 100_000 ? micros(us) : exact(Math.round(us / 1000)));

/** drawSpans fills the part of the page that shows r.trace. */
export const drawSpans = (r) => {
  byId("spans-part").hidden = !r.trace;
  if (!r.trace) return;
  const whole = Math.max(1, r.elapsed.ms * 1000, ...r.trace.spans.map((s) => s.to_us));
  const all = inOrder(r.trace.spans);
  const some = all.filter(({ span, depth }) => depth === 0 || span.error || span.to_us - span.from_us >= visible * whole);
  const button = byId("every-span");
  const left = r.trace.left_out || 0;
  setText(byId("spans-count"), count(all.length + left) + (all.length + left === 1 ? " span" : " spans") + (r.trace.service ? " of " + r.trace.service : "") + (left ? ", the shortest " + count(left) + " not kept" : ""));
  const draw = () => {
    const every = button.getAttribute("aria-pressed") === "true";
    fill(byId("spans").tBodies[0], (every ? all : some).map((row) => spanRow(row, whole)));
  };
  button.parentNode.hidden = some.length === all.length;
  button.onclick = () => {
    button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
    draw();
  };
  draw();
};

/** inOrder are the spans as a tree is read, each with its depth. Whatever the parents say, each comes once. */
const inOrder = (spans) => {
  const ids = new Set(spans.map((s) => s.id));
  const children = new Map();
  const below = (id) => children.get(id) || children.set(id, []).get(id);
  const tops = [];
  for (const span of spans) {
    if (span.parent && span.parent !== span.id && ids.has(span.parent)) below(span.parent).push(span);
    else tops.push(span);
  }
  const rows = [];
  const seen = new Set();
  const stack = tops.reverse().map((span) => ({ span, depth: 0 }));
  while (stack.length) {
    const row = stack.pop();
    if (seen.has(row.span.id)) continue;
    seen.add(row.span.id);
    rows.push(row);
    for (const span of below(row.span.id).reverse()) stack.push({ span, depth: row.depth + 1 });
  }
  for (const span of spans) if (!seen.has(span.id)) rows.push({ span, depth: 0 });
  return rows;
};

const spanRow = ({ span, depth }, whole) => {
  const share = (us) => (us / whole) * 100 + "%";
  const place = { x: 0, y: 3, width: "100%", height: 14 };
  return el(
    "tr",
    null,
    el(
      "td",
      { class: "any depth-" + Math.min(depth, 8) },
      span.name,
      " ",
      span.class ? chip(span.class) : el("small", null, span.kind),
      span.error && el("div", { class: "bad" }, "✗ ", span.error_type || "failed"),
      span.sql ? el("code", { class: "sql" }, span.sql) : span.peer && el("div", null, el("small", null, span.peer)),
    ),
    el("td", { class: "bars" }, svg("svg", { class: "spanned", role: "img", "aria-label": `${time(span.from_us)} to ${time(span.to_us)}` }, svg("svg", { x: share(span.from_us), width: share(span.to_us - span.from_us), height: "100%" }, span.class ? block(span.class, place) : svg("rect", { ...place, class: "f-app" })), svg("rect", { x: share(span.from_us), y: 3, width: 1.5, height: 14, class: "hair" }))),
    el("td", { class: "n" }, time(span.from_us)),
    el("td", { class: "n" }, time(span.to_us - span.from_us)),
  );
};

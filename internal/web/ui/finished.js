// The slow ones that ended: chart, box, list.
import { address, byId, el, fill, getJSON, keyed, poll, setText } from "./dom.js";
import { chip, classes, label, strip } from "./classes.js";
import { Chart, drawDot } from "./chart.js";
import { count, duration, moment } from "./format.js";

const everyMs = 5000;
const maxDots = 5000;
const pageRows = 25;
// A record is written a little after its end.
const lateMs = 60_000;
const seconds = { m: 60, h: 3600 };
const choices = ["since", "state", "route"];

/** startFinished keeps the second half of the page up to date. */
export const startFinished = (target) => {
  const view = { name: address.get("view") === "heat" ? "heat" : "scatter", class: address.get("class"), box: null, rows: pageRows };
  let dots = new Map();
  let dotsOf = "";

  for (const name of choices) {
    const control = byId(name);
    if (address.get(name)) control.value = address.get(name);
    control.addEventListener("change", () => {
      address.set(name, control.value);
      refresh();
    });
  }

  if (!byId("since").value) byId("since").value = "15m";
  if (!classes[view.class]) view.class = "";

  const chart = new Chart(byId("chart"), {
    onBox: (box) => choose(box),
    onOpen: (dot) => location.assign("/transactions/" + encodeURIComponent(dot.id)),
  });

  const spanMs = () => {
    const since = byId("since").value;
    return parseInt(since, 10) * seconds[since.at(-1)] * 1000;
  };
  const query = (more) => {
    const q = new URLSearchParams(more);
    const all = { target: target.value, state: byId("state").value, route: byId("route").value };
    for (const [name, value] of Object.entries(all)) if (value) q.set(name, value);
    return q;
  };
  const iso = (ms) => new Date(ms).toISOString();

  const loadDots = async (from) => {
    const of = query().toString() + byId("since").value;
    if (dotsOf !== of) dots = new Map();
    const newest = Math.max(from, ...[...dots.values()].map((d) => Date.parse(d.end) - lateMs));
    const { transactions } = await getJSON("/api/transactions?" + query({ from: iso(dots.size ? newest : from), limit: maxDots }));
    dotsOf = of;
    for (const t of transactions) dots.set(t.id, t);
    const kept = [...dots.values()].filter((d) => Date.parse(d.end) >= from).sort((a, b) => Date.parse(b.end) - Date.parse(a.end)).slice(0, maxDots);
    dots = new Map(kept.map((d) => [d.id, d]));
    return kept;
  };

  const refresh = poll(everyMs, async () => {
    const to = Date.now();
    const from = to - spanMs();
    const span = { from: iso(from), to: iso(to) };
    const one = view.class ? { class: view.class } : {};
    const heat = await getJSON("/api/transactions/heat?" + query({ ...span, columns: chart.columns() }));
    const cells = view.class ? await getJSON("/api/transactions/heat?" + query({ ...span, ...one, columns: chart.columns() })) : heat;
    const drawn = view.name === "heat" ? null : (await loadDots(from)).filter((d) => !view.class || (d.class || "unknown") === view.class);
    chart.show({ from, to, total: cells.total, box: view.box, ...(drawn ? { dots: drawn } : { heat: cells }) });
    setText(byId("slow-total"), count(heat.total));
    showLegend(heat);
    fill(byId("routes"), heat.routes.map((r) => el("option", { value: r.route }, r.route + " (" + r.count + ")")));
    await loadRows(span, one, drawn, cells.total);
  });

  const loadRows = async (span, one, drawn, total) => {
    const { box } = view;
    const bounds = box ? { from: iso(box.from), to: iso(box.to), min: Math.round(box.minMs) + "ms", ...(box.maxMs ? { max: Math.round(box.maxMs) + "ms" } : {}) } : span;
    const listed = query({ ...bounds, ...one, limit: view.rows });
    const list = await getJSON("/api/transactions?" + listed);
    const rows = list.transactions.sort((a, b) => Date.parse(b.end) - Date.parse(a.end)); // they come as they were put on record
    keyed(byId("slow"), rows, (t) => t.id, makeRow, updateRow);
    byId("slow-json").href = "/api/transactions?" + listed;
    byId("slow-none").hidden = list.total > 0;
    setText(byId("slow-none"), box ? "None in the box." : "None: nothing was slow, or it was not followed.");
    const more = byId("slow-more");
    fill(
      more,
      list.total > list.transactions.length ? count(list.transactions.length) + " of " + count(list.total) + " listed. " : box ? count(list.total) + " in the box. " : "",
      list.total > list.transactions.length &&
        el("button", { type: "button", onclick: () => ((view.rows = Math.min(20000, view.rows * 4)), refresh()) }, "More"),
      drawn && total > drawn.length ? " The newest " + count(drawn.length) + " of " + count(total) + " are drawn; the heat map has all. " : "",
    );
  };

  const showLegend = (heat) => {
    const order = Object.keys(classes);
    const there = heat.classes.filter((c) => c.count > 0).sort((a, b) => order.indexOf(a.class) - order.indexOf(b.class));
    keyed(byId("legend"), there, (c) => c.class, makeKey, (button, c) => {
      setText(button.lastChild, label(c.class) + " " + count(c.count));
      button.setAttribute("aria-pressed", String(view.class === c.class));
    });
  };
  const makeKey = (c) => {
    const canvas = el("canvas", { width: 32, height: 32, "aria-hidden": "true" });
    const button = el("button", { type: "button", title: classes[c.class]?.what, onclick: () => pick(c.class) }, canvas, el("span"));
    const draw = () => {
      const ink = canvas.getContext("2d");
      ink.clearRect(0, 0, 32, 32);
      drawDot(ink, (name) => getComputedStyle(button.querySelector("." + name) || probe(button, name)).color, c.class, 16, 16, 9);
    };
    addEventListener("themechange", draw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    queueMicrotask(draw);
    return button;
  };
  const probe = (button, name) => {
    const node = el("i", { class: name, hidden: true });
    node.style.color = "var(--" + name + ")";
    button.firstChild.after(node);
    return node;
  };
  const pick = (id) => {
    view.class = view.class === id ? "" : id;
    address.set("class", view.class);
    refresh();
  };

  const local = (ms) => {
    const d = new Date(ms);
    return new Date(ms - d.getTimezoneOffset() * 60e3).toISOString().slice(0, 19);
  };
  const round = (ms, up) => (up ? Math.ceil(ms / 10) : Math.floor(ms / 10)) / 100;
  const choose = (box) => {
    // What the form shows is what is asked for.
    byId("box-from").value = local(box.from);
    byId("box-to").value = local(box.to + 999);
    byId("box-min").value = round(box.minMs, false);
    byId("box-max").value = box.maxMs ? round(box.maxMs, true) : "";
    readBox();
  };
  const readBox = () => {
    const now = Date.now();
    const read = (id, otherwise) => (byId(id).value ? new Date(byId(id).value).getTime() : otherwise);
    view.box = { from: read("box-from", now - spanMs()), to: read("box-to", now), minMs: 1000 * Number(byId("box-min").value), maxMs: 1000 * Number(byId("box-max").value) };
    view.rows = pageRows;
    refresh();
  };
  byId("box").addEventListener("submit", (event) => {
    event.preventDefault();
    readBox();
  });
  byId("box").addEventListener("reset", () => {
    view.box = null;
    view.rows = pageRows;
    refresh();
  });

  const buttons = [...document.querySelectorAll("[data-view]")];
  const showView = () => {
    for (const b of buttons) b.setAttribute("aria-pressed", String(b.dataset.view === view.name));
    for (const hint of document.querySelectorAll("[data-of]")) hint.hidden = hint.dataset.of !== view.name;
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      view.name = button.dataset.view;
      address.set("view", view.name === "scatter" ? "" : view.name);
      showView();
      refresh();
    });
  }
  showView();
  return refresh;
};

const makeRow = (t) =>
  el(
    "tr",
    null,
    el("td", { class: "n left", "data-label": "ended" }),
    el("td", { class: "n", "data-label": "took" }),
    el("td", { "data-label": "mostly" }),
    el("td", { class: "any", "data-label": "request" }, el("a", { href: "/transactions/" + encodeURIComponent(t.id) }), el("br"), el("small")),
    el("td", { "data-label": "state" }),
  );

const marks = { finished: "✓ ", failed: "✗ ", lost: "? ", active: "… " };

const updateRow = (tr, t) => {
  const [ended, took, most, request, how] = tr.cells;
  setText(ended, moment(t.end));
  setText(took, (t.certainty === "exact" ? "" : "≈ ") + duration(t.elapsed_ms));
  took.title = t.certainty;
  const parts = t.classes || [];
  const state = JSON.stringify([t.class, parts]);
  if (most.dataset.state !== state) {
    most.dataset.state = state;
    fill(most, chip(t.class || "unknown"), el("div", { class: "mini" }, strip(parts, (c) => c.ms, t.elapsed_ms, (c, wide) => (wide === Infinity ? duration(c.ms) : ""))));
  }
  setText(request.firstChild, [t.method, t.route || "(no path seen)"].filter(Boolean).join(" "));
  setText(request.lastChild, [t.target, t.path !== t.route ? t.path : ""].filter(Boolean).join(" · "));
  setText(how, (marks[t.state] || "") + (t.state === "active" ? "going on" : t.state));
  how.className = t.state === "failed" ? "bad" : t.state === "lost" ? "warn" : "";
};

// The page of one transaction, in flight or on record.
import { byId, el, fill, getJSON, poll, setText } from "./dom.js";
import { chip } from "./classes.js";
import { bytes, count, duration, exact, micros, moment, percent } from "./format.js";
import { drawAxis, errorBar } from "./axis.js";
import { drawFlame } from "./flame.js";
import { drawSpans } from "./spans.js";

const id = byId("main").dataset.record;
const evidence = { socket: "the connection itself", "pool-url": "the URL of the pool", span: "a span of the application" };
const sources = { threads: "the stack of its thread alone: begin and end are estimates", spans: "its spans alone" };
const joins = { thread: "same thread and time", path: "same request, same begin and end" };
const states = { active: "in flight", finished: "✓ finished", failed: "✗ failed with status 400 or more", lost: "? lost: nobody saw its end" };

poll(2000, async () => {
  const r = await getJSON("/api/transactions/" + encodeURIComponent(id));
  show(r);
  return r.state === "active" ? "" : "stop";
});

/** rows fills a table; on a narrow page its cells are named by the heads of their columns. */
const rows = (table, list, cells) => {
  const heads = [...byId(table).querySelectorAll("thead th")].map((th) => th.textContent);
  fill(byId(table).tBodies[0], list.map((item) => el("tr", null, cells(item))));
  for (const row of byId(table).tBodies[0].rows) [...row.cells].forEach((cell, i) => heads[i] && (cell.dataset.label = heads[i]));
};
const n = (text) => el("td", { class: "n" }, text);

const show = (r) => {
  byId("record").hidden = false;
  const name = [r.method, r.route || "(no path seen)"].filter(Boolean).join(" ");
  document.title = name + " · apm-sidecar";
  setText(byId("title"), name);
  fill(byId("lead"), el("b", null, duration(r.elapsed.ms)), " ", el("span", { class: r.state === "failed" ? "bad" : r.state === "lost" ? "warn" : "soft" }, states[r.state] || r.state), el("span", { class: "soft" }, " · ", sure(r.elapsed)), r.class && el("span", null, " · mostly ", chip(r.class)));
  showFacts(r);
  fill(byId("notes"), r.notes.map((note) => el("li", null, note)));
  drawAxis(byId("axis"), r);
  byId("axis-hint").hidden = !r.classes.some((c) => c.class === "run_queue" || c.class === "gc");
  rows("segments", r.segments, (s) => [n(exact(s.from_ms)), n(exact(s.to_ms)), el("td", null, chip(s.class)), el("td", null, el("code", null, s.frame || ""), s.sql ? el("div", null, el("code", { class: "sql" }, s.sql)) : s.peer && el("small", null, " " + s.peer))]);
  drawSpans(r);
  const most = Math.max(1, ...r.classes.map((c) => c.ms + c.error_ms));
  rows("classes", r.classes, (c) => [el("td", null, chip(c.class)), n(exact(c.ms)), n(exact(c.error_ms)), n(percent(r.elapsed.ms ? c.ms / r.elapsed.ms : 0)), el("td", { class: "bars" }, errorBar(c, most))]);
  setText(byId("hidden"), r.hidden_ms > 0 ? "Anything shorter than " + duration(r.hidden_ms) + " may have happened without being seen." : "");
  showMeasured(r.measured);
  byId("peers-part").hidden = r.peers.length === 0;
  rows("peers", r.peers, (p) => [el("td", { class: "any" }, p.name || p.address, p.name && el("small", null, " " + p.address)), el("td", null, p.kind), n(exact(p.ms)), n(exact(p.error_ms)), n(p.rtt_us ? micros(p.rtt_us) : "not known"), n(p.unanswered_ms ? exact(p.unanswered_ms) : ""), el("td", null, evidence[p.evidence] || p.evidence)]);
  byId("sql-part").hidden = r.sql.length === 0;
  rows("sql", r.sql, (s) => [el("td", null, el("code", null, s.text), s.wait && el("div", null, el("small", null, "the database itself waited: "), s.wait)), n(exact(s.ms)), n(exact(s.error_ms)), n(count(s.seen) + "×"), el("td", { class: "any" }, nameOfPeer(r, s.peer))]);
  byId("locks-part").hidden = r.locks.length === 0;
  fill(byId("locks"), r.locks.map(lockItem));
  byId("stacks-part").hidden = !r.stacks;
  if (r.stacks) {
    setText(byId("stacks-samples"), count(r.samples) + " looks" + (r.samples_spared ? ", " + count(r.samples_spared) + " of them without a stack, as the thread had not run" : ""));
    drawFlame(byId("flame"), byId("frame"), byId("every"), r.stacks);
  }
};

/** nameOfPeer is what people call a peer, its address without a name. */
const nameOfPeer = (r, address) => r.peers.find((p) => p.address === address)?.name || address || "";

const sure = (e) => {
  if (e.certainty === "exact") return "exact to the millisecond";
  const between = "between " + duration(e.min_ms) + " and " + duration(e.max_ms);
  return e.certainty === "bounded" ? between : "estimated, " + between;
};

const showFacts = (r) => {
  const fact = (name, ...value) => value.some(Boolean) && el("div", null, el("dt", null, name), el("dd", null, value));
  const query = new URLSearchParams({ target: r.target, route: r.route, since: "24h" });
  fill(
    byId("facts"),
    fact("target", r.target),
    fact("started", moment(r.start)),
    fact("path", r.path !== r.route && r.path),
    fact("thread", r.thread && r.thread + (r.thread_id ? " (id " + r.thread_id + ")" : "")),
    fact("connector", r.connector),
    fact("slow from", duration(r.threshold_ms)),
    fact("asynchronous", r.async && "yes: part of it ran without a thread of the server"),
    fact("seen by", sources[r.source]),
    fact("trace", r.trace && el("code", null, r.trace.id), r.trace && r.trace.joined_by && el("small", null, " joined by " + (joins[r.trace.joined_by] || r.trace.joined_by))),
    fact("more", r.route && el("a", { href: "/transactions?" + query }, "slow ones of this route, last day")),
  );
};

const showMeasured = (m) => {
  byId("measured-part").hidden = !m;
  if (!m) return;
  setText(byId("measured-span"), "From " + exact(m.from_ms) + " to " + exact(m.to_ms) + " after the start.");
  const lines = [
    ["on a processor", m.cpu_ms, exact],
    ["ready, without a processor", m.run_queue_ms, exact],
    ["blocked on monitors", m.blocked_ms, exact],
    ["waited", m.waited_ms, exact],
    ["stopped by the JVM", m.gc_ms, exact],
    ["allocated", m.allocated_bytes, bytes],
    ["waits", m.waits, count],
    ["blocked entries", m.blocks, count],
  ];
  rows("measured", lines.filter(([, v]) => v !== undefined && v !== null), ([name, v, say]) => [el("td", null, name), n(say(v))]);
};

const lockItem = (lock) =>
  el(
    "li",
    null,
    el("div", null, el("b", null, duration(lock.to_ms - lock.from_ms)), " for ", el("code", null, lock.lock), el("small", null, ` from ${exact(lock.from_ms)} to ${exact(lock.to_ms)}`)),
    el("ol", { class: "chain" }, lock.owners.map(ownerItem)),
  );

const ownerItem = (owner) =>
  el(
    "li",
    null,
    el("div", null, "held by ", el("b", null, owner.thread), owner.transaction && [" in ", el("a", { href: "/transactions/" + encodeURIComponent(owner.transaction) }, owner.route || owner.transaction)], owner.class && [" · ", chip(owner.class)], owner.lock && [" · which waits for ", el("code", null, owner.lock)]),
    owner.stack.length > 0 && el("details", null, el("summary", null, el("code", null, owner.stack[0])), el("ol", { class: "stack" }, owner.stack.slice(1).map((frame) => el("li", null, frame)))),
  );

// Transactions in flight: bars by age and class, and a row for each.
import { byId, el, fill, getJSON, keyed, poll, setText } from "./dom.js";
import { chip, label, strip } from "./classes.js";
import { count, duration } from "./format.js";

const everyMs = 1000;
const bucketLabels = { "0-1": "under 1 s", "1-3": "1 to 3 s", "3-8": "3 to 8 s", "8+": "8 s and more" };
const maxNamed = 3; // targets of a note
const firstRows = 15; // what is slow comes on top of that
const letterWidth = 8; // pixels, with some to spare
const samplingNotes = { candidates: "sampling reduced to those about to be slow", off: "sampling paused: it cost the JVM too much" };

/** startActive keeps the first half of the page up to date. */
export const startActive = (target, onTargets) =>
  poll(everyMs, async () => {
    const query = target.value ? "?target=" + encodeURIComponent(target.value) : "";
    const board = await getJSON("/api/transactions/active" + query);
    onTargets(board.targets);
    showStates(board.targets.filter((t) => !target.value || t.target === target.value));
    showBuckets(board);
    showRows(board);
  });

const showStates = (targets) => {
  const down = targets.filter((t) => t.state === "down");
  const words = [targets.length - down.length + " of " + targets.length + " followed"];
  if (targets.length === 1) words.push("a look each " + duration(targets[0].interval_ms), "slow from " + duration(targets[0].threshold_ms));
  if (down.length) words.push("✗ down: " + down.map((t) => t.target).join(", "));
  setText(byId("states"), words.join(" · "));
  const notes = new Map();
  for (const t of targets)
    for (const note of [...(samplingNotes[t.sampling] ? [samplingNotes[t.sampling]] : []), ...t.notes]) notes.set(note, [...(notes.get(note) || []), t.target]);
  keyed(
    byId("notes"),
    [...notes],
    ([note]) => note,
    () => el("li"),
    (li, [note, of]) => setText(li, (targets.length > 1 ? of.slice(0, maxNamed).join(", ") + (of.length > maxNamed ? " and " + count(of.length - maxNamed) + " more" : "") + ": " : "") + note),
  );
};

const showBuckets = (board) => {
  const whole = Math.max(1, ...board.buckets.map((b) => b.count));
  keyed(
    byId("buckets"),
    board.buckets,
    (b) => b.bucket,
    (b) => el("div", { class: "bucket" }, el("span", { class: "soft" }, bucketLabels[b.bucket] || b.bucket), el("b", { class: "n" }), el("div")),
    (node, b) => {
      const state = JSON.stringify([b, whole]);
      if (node.dataset.state === state) return;
      node.dataset.state = state;
      setText(node.children[1], count(b.count));
      const room = node.children[2].clientWidth / 100;
      fill(node.children[2], strip(b.classes, (c) => c.count, whole, (c, wide) => {
        const text = stateOf(c.class) + " " + c.count;
        return wide < Infinity && text.length * letterWidth < wide * room ? text : String(c.count);
      }));
    },
  );
};

/** stateOf is what those in flight do now; of the youngest nobody knows it yet. */
const stateOf = (id) => (id === "unknown" ? "not looked at yet" : label(id));

const showRows = (board) => {
  setText(byId("active-total"), count(board.total));
  byId("active-none").hidden = board.total > 0;
  const rows = byId("active-all").checked ? board.transactions : board.transactions.filter((t, i) => i < firstRows || t.slow);
  const hidden = board.total - rows.length;
  byId("active-more").hidden = hidden === 0 && !byId("active-all").checked;
  setText(byId("active-rest"), hidden > 0 ? "The oldest " + count(rows.length) + " are listed; " + count(hidden) + " more are in flight." : "");
  const whole = Math.max(1, ...board.transactions.map((t) => t.elapsed_ms));
  keyed(byId("active"), rows, (t) => t.id, makeRow, (tr, t) => updateRow(tr, t, whole));
};

const makeRow = (t) =>
  el(
    "tr",
    null,
    el("td", { class: "n", "data-label": "for" }, el("span"), el("div", { class: "age" })),
    el("td", { "data-label": "does" }),
    el("td", { class: "any", "data-label": "request" }, el("a", { href: "/transactions/" + encodeURIComponent(t.id) }), el("br"), el("small")),
    el("td", { class: "any", "data-label": "where" }),
    el("td", { class: "n", "data-label": "unmoved" }),
  );

const updateRow = (tr, t, whole) => {
  tr.classList.toggle("slow", t.slow);
  const [age, does, request, where, stuck] = tr.cells;
  setText(age.firstChild, (t.slow ? "▲ " : "") + duration(t.elapsed_ms));
  fill(age.lastChild, strip([t], () => t.elapsed_ms, whole, () => ""));
  if (does.dataset.class !== (t.class || "")) {
    does.dataset.class = t.class || "";
    fill(does, t.class ? chip(t.class) : "…");
  }
  setText(request.firstChild, [t.method, t.route || "(no path seen)"].filter(Boolean).join(" "));
  setText(request.lastChild, [t.path !== t.route ? t.path : "", t.target, t.thread, t.async ? "asynchronous" : "", t.source === "threads" ? "estimated from the thread" : ""].filter(Boolean).join(" · "));
  const state = JSON.stringify([t.frame, t.peer, t.sql, t.lock, t.lock_owner, t.lock_owner_transaction]);
  if (where.dataset.state !== state) {
    where.dataset.state = state;
    fill(
      where,
      t.frame && el("code", null, t.frame),
      t.peer && el("div", null, el("small", null, "peer "), t.peer),
      t.sql && el("div", null, el("code", { class: "sql" }, t.sql)),
      t.lock && lockOf(t),
    );
  }
  setText(stuck, t.stuck_ms >= 1000 ? duration(t.stuck_ms) : "");
};

const lockOf = (t) =>
  el(
    "div",
    null,
    el("small", null, t.lock_owner ? "lock " : "waits on "),
    el("code", null, t.lock),
    t.lock_owner && el("small", null, " held by "),
    t.lock_owner && (t.lock_owner_transaction ? el("a", { href: "/transactions/" + encodeURIComponent(t.lock_owner_transaction) }, t.lock_owner) : t.lock_owner),
  );

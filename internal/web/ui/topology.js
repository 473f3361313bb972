// The page /topology: servers, whom they wait for, and where the delay is.
import { address, byId, el, fill, getJSON, poll, setText } from "./dom.js";
import { chip, label, strip } from "./classes.js";
import { count, duration, micros, percent, rate } from "./format.js";
import { classOfKind, drawMap, nameOf } from "./map.js";

const everyMs = 3000;
// Rates are over the last minute that this page has seen.
const ratesMs = 60_000;
const evidence = { socket: "the connection itself", "pool-url": "the URL of the pool" };

const since = byId("since");
const target = byId("target");
const seen = new Map();
let last = null;

/** ratesOf adds requests per second and their mean duration, once two answers tell. */
const ratesOf = (server, now) => {
  const list = (seen.get(server.target) || []).filter((s) => now - s.now < ratesMs && s.finished <= server.finished);
  list.push({ now, finished: server.finished, ms: server.finished_ms });
  seen.set(server.target, list);
  const n = server.finished - list[0].finished;
  const took = now - list[0].now;
  return { ...server, perSecond: took > 0 ? n / (took / 1000) : null, meanMs: n > 0 ? (server.finished_ms - list[0].ms) / n : null };
};

const draw = () => {
  if (!last) return;
  const servers = last.servers.filter((s) => !target.value || s.target === target.value);
  const edges = last.edges.filter((e) => !target.value || e.target === target.value);
  drawMap(byId("map"), servers, edges);
  showEdges(servers, edges);
  showServers(servers);
};

const refresh = poll(everyMs, async () => {
  const query = new URLSearchParams({ from: since.value });
  if (target.value) query.set("target", target.value);
  byId("json").href = "/api/topology?" + query;
  const topology = await getJSON("/api/topology?" + query);
  const now = Date.parse(topology.to);
  last = { ...topology, servers: topology.servers.map((s) => ratesOf(s, now)) };
  const known = new Set([...target.options].map((o) => o.value));
  for (const s of topology.servers) if (!known.has(s.target)) target.append(el("option", null, s.target));
  draw();
});

const n = (name, text) => el("td", { class: "n", "data-label": name }, text);

const showEdges = (servers, edges) => {
  const slowMs = new Map(servers.map((s) => [s.target, s.slow_ms]));
  byId("edges-none").hidden = edges.length > 0;
  fill(
    byId("edges"),
    [...edges]
      .sort((a, b) => b.ms - a.ms)
      .map((e) =>
        el(
          "tr",
          null,
          el("td", { class: "any", "data-label": "server" }, e.target),
          el("td", { class: "any", "data-label": "waits for" }, nameOf(e), " ", chip(classOfKind(e.kind))),
          n("waiting now", count(e.in_flight)),
          n("slow ones", count(e.slow)),
          n("of their time", e.slow ? percent(e.ms / Math.max(1, slowMs.get(e.target) || 0)) : ""),
          n("each", e.slow ? duration(e.ms / e.slow) : ""),
          n("longest", e.slow ? duration(e.max_ms) : ""),
          n("network", e.rtt_us ? micros(e.rtt_us) : "not known"),
          el("td", { "data-label": "known by" }, e.evidence.map((v) => evidence[v] || v).join(", ") || "the stacks alone"),
        ),
      ),
  );
};

const showServers = (servers) =>
  fill(
    byId("servers"),
    servers.map((s) =>
      el(
        "tr",
        null,
        el("td", { class: "any", "data-label": "server" }, el("a", { href: "/transactions?target=" + encodeURIComponent(s.target) }, s.target), s.state === "down" && el("span", { class: "bad" }, " ✗ down")),
        n("requests", s.perSecond === null ? "…" : rate(s.perSecond)),
        n("mean", s.meanMs === null ? "" : duration(s.meanMs)),
        n("in flight", count(s.in_flight)),
        n("slow ones", count(s.slow)),
        n("failed", count(s.failed)),
        el("td", { class: "bars", "data-label": "inside" }, s.slow_ms > 0 && strip(s.inside, (c) => c.ms, s.slow_ms, (c, wide) => (wide > 14 ? label(c.class) + " " : "") + percent(c.ms / s.slow_ms))),
      ),
    ),
  );

for (const control of [since, target]) {
  if (control === since && address.get("since")) since.value = address.get("since");
  control.addEventListener("change", () => {
    address.set(control.id, control.value);
    refresh();
  });
}
if (!since.value) since.value = "15m";
if (address.get("target")) {
  target.append(el("option", null, address.get("target")));
  target.value = address.get("target");
}
new ResizeObserver(draw).observe(byId("map"));

// The map of servers and those they wait for: clients, servers, peers in three columns.
import { fill, svg } from "./dom.js";
import { block, label } from "./classes.js";
import { count, duration, micros, percent, rate } from "./format.js";

const kinds = { database: ["sql", "database"], http: ["http", "HTTP server"], messaging: ["messaging", "broker"], store: ["store", "data store"], tcp: ["network", "TCP peer"], client: ["client", "clients"] };
const box = { wide: 210, server: 76, peer: 48, gap: 30 };
const maxServers = 30;

/** classOfKind is the class of the waits for a kind of peer. */
export const classOfKind = (kind) => (kinds[kind] || kinds.tcp)[0];

/** nameOf an edge's peer; one that nobody could name is called that. */
export const nameOf = (e) => (e.kind === "client" ? "clients" : e.name || e.address || article((kinds[e.kind] || kinds.tcp)[1]) + " (address not seen)");

const article = (noun) => (noun.startsWith("HTTP") ? "an " : "a ") + noun;

const maxName = 24; // letters of a box
const nameEnd = 7; // of them at the end: a port, the last part of an address

/** cut leaves out the middle: names of hosts differ at their beginning, ports at the end. */
const cut = (text, most = maxName) => (text.length > most ? text.slice(0, most - nameEnd - 1) + "…" + text.slice(-nameEnd) : text);

/** worst is the edge or class inside with the most slow time: {edge} or {inside}. */
const worst = (server, edges) => {
  const edge = edges.filter((e) => e.target === server.target && e.ms > 0).sort((a, b) => b.ms - a.ms)[0];
  const inside = [...server.inside].sort((a, b) => b.ms - a.ms)[0];
  if (inside && (!edge || inside.ms >= edge.ms)) return { inside };
  return { edge };
};

/** drawMap draws servers and edges into an element, as wide as it is. */
export const drawMap = (node, servers, edges) => {
  const width = Math.max(640, node.clientWidth);
  const shown = [...servers].sort((a, b) => b.slow_ms - a.slow_ms || b.in_flight - a.in_flight).slice(0, maxServers);
  const names = new Set(shown.map((s) => s.target));
  const outgoing = edges.filter((e) => names.has(e.target) && e.kind !== "client");
  // Peers with an address are one node for all servers.
  const peers = new Map();
  for (const e of outgoing) {
    const key = e.address ? e.kind + " " + e.address : e.kind + " of " + e.target;
    if (!peers.has(key)) peers.set(key, { key, edges: [], ...e });
    peers.get(key).edges.push(e);
  }
  const order = new Map(shown.map((s, i) => [s.target, i]));
  const mean = (p) => p.edges.reduce((sum, e) => sum + order.get(e.target), 0) / p.edges.length;
  const right = [...peers.values()].sort((a, b) => mean(a) - mean(b));
  const leftHeight = shown.length * (box.server + box.gap);
  const rightHeight = right.length * (box.peer + box.gap);
  const height = Math.max(leftHeight, rightHeight, 110);
  const x = { client: 6, server: Math.max(140, width * 0.2), peer: width - box.wide - 6 };
  const place = new Map();
  shown.forEach((s, i) => place.set(s.target, (height - leftHeight) / 2 + box.gap / 2 + i * (box.server + box.gap)));
  right.forEach((p, i) => place.set(p.key, (height - rightHeight) / 2 + box.gap / 2 + i * (box.peer + box.gap)));

  const worsts = new Map(shown.map((s) => [s.target, worst(s, edges)]));
  const lines = [];
  const labels = [];
  const taken = [];
  for (const p of right) {
    for (const e of p.edges) {
      const server = shown[order.get(e.target)];
      const bad = worsts.get(e.target).edge === e;
      const drawn = edgeOf(e, server, bad, [x.server + box.wide, place.get(e.target) + box.server / 2], [x.peer, place.get(p.key) + box.peer / 2], taken);
      lines.push(drawn.line);
      labels.push(drawn.label);
    }
  }
  for (const s of shown) lines.push(clientEdge(s, edges, x, place, worsts.get(s.target)));
  fill(
    node,
    svg(
      "svg",
      { class: "map", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "map of servers and their peers; the tables below have the same" },
      lines,
      shown.map((s) => serverBox(s, x.server, place.get(s.target), worsts.get(s.target))),
      right.map((p) => peerBox(p, x.peer, place.get(p.key))),
      labels,
    ),
  );
};

/** free is the first of the places at which a label covers the least of the others. */
const free = (places, [wide, high], taken) => {
  const covered = ([x, y]) =>
    taken.reduce((sum, b) => sum + Math.max(0, (wide + b.wide) / 2 - Math.abs(x - b.x)) * Math.max(0, (high + b.high) / 2 - Math.abs(y - b.y)), 0);
  const areas = places.map(covered);
  const [x, y] = places[areas.indexOf(Math.min(...areas))];
  taken.push({ x, y, wide, high });
  return [x, y];
};

/** edgeOf draws one edge with its label, where none of taken is, which it adds to these. */
const edgeOf = (e, server, bad, [x1, y1], [x2, y2], taken) => {
  const share = server.slow_ms > 0 ? e.ms / server.slow_ms : 0;
  const bend = (x2 - x1) / 2;
  const line = svg("path", { d: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`, class: "edge" + (bad ? " worst" : ""), "stroke-width": 1.5 + 9 * share });
  const point = (t) => {
    const u = 1 - t;
    return [u * u * u * x1 + 3 * u * u * t * (x1 + bend) + 3 * u * t * t * (x2 - bend) + t * t * t * x2, u * u * u * y1 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t * t * t * y2];
  };
  const words = [];
  if (e.slow) words.push((bad ? "▶ " : "") + percent(share) + " of slow time", "⌀ " + duration(e.ms / e.slow) + (e.rtt_us ? " · net " + micros(e.rtt_us) : ""));
  if (e.in_flight) words.push(count(e.in_flight) + " waiting now");
  const wide = Math.max(...words.map((w) => w.length), 1) * (bad ? 7.2 : 6.3) + 12;
  // From near the peers, where edges lie apart, to the servers and then to the peers.
  const places = Array.from({ length: 15 }, (_, i) => point(i < 13 ? 0.74 - i * 0.04 : 0.78 + (i - 13) * 0.04));
  const [cx, cy] = words.length ? free(places, [wide + 4, words.length * 15 + 10], taken) : places[0];
  const link = svg(
    "a",
    { href: "/transactions?" + new URLSearchParams({ target: e.target, class: classOfKind(e.kind) }), class: "tag" + (bad ? " worst" : ""), "aria-label": `${e.target} waits for ${nameOf(e)}: ${words.join(", ")}` },
    svg("title", null, `${e.target} → ${nameOf(e)}\n${words.join("\n")}`),
    svg("rect", { x: cx - wide / 2, y: cy - words.length * 7.5 - 3, width: wide, height: words.length * 15 + 6, rx: 5 }),
    words.map((w, i) => svg("text", { x: cx, y: cy - words.length * 7.5 + 12 + i * 15, "text-anchor": "middle" }, w)),
  );
  return { line, label: words.length ? link : "" };
};

const clientEdge = (s, edges, x, place, worst) => {
  const y = place.get(s.target) + box.server / 2;
  const slow = edges.find((e) => e.target === s.target && e.kind === "client");
  const words = [s.perSecond === null ? "…" : rate(s.perSecond) + (s.meanMs === null ? "" : " · ⌀ " + duration(s.meanMs))];
  if (slow?.slow) words.push("sending, reading: " + percent(slow.ms / Math.max(1, s.slow_ms)));
  if (slow?.in_flight) words.push(count(slow.in_flight) + " waiting now");
  return svg(
    "g",
    null,
    svg("path", { d: `M${x.client},${y} L${x.server},${y} m-7,-5 l7,5 l-7,5`, class: "edge" + (slow && slow === worst.edge ? " worst" : ""), "stroke-width": 1.5 }),
    svg("text", { x: x.client, y: y - 7, class: "sub" }, "requests"),
    words.map((w, i) => svg("text", { x: x.client, y: y + 16 + i * 14 }, w)),
  );
};

const serverBox = (s, x, y, { inside }) => {
  let at = 0;
  const whole = Math.max(1, s.slow_ms);
  const parts = s.inside.map((c) => {
    const wide = (c.ms / whole) * (box.wide - 16);
    const part = svg("svg", { x: x + 8 + at, y: y + 56, width: wide, height: 12 }, svg("title", null, label(c.class) + ": " + percent(c.ms / whole) + " of slow time"), block(c.class, { x: 0, y: 0, width: "100%", height: "100%" }));
    at += wide;
    return part;
  });
  const state = s.state === "down" ? "✗ down" : `${count(s.in_flight)} in flight · ${count(s.slow)} slow`;
  return svg(
    "a",
    { href: "/transactions?target=" + encodeURIComponent(s.target), class: "node" + (inside ? " worst" : "") },
    svg("title", null, s.target),
    svg("rect", { x, y, width: box.wide, height: box.server, rx: 8, class: "body" }),
    svg("text", { x: x + 10, y: y + 20, class: "name" }, cut(s.target)),
    svg("text", { x: x + 10, y: y + 36 }, state),
    s.slow > 0 && svg("text", { x: x + 10, y: y + 50, class: "sub" }, inside ? "▶ most: " + label(inside.class) + ", " + percent(inside.ms / whole) + ", inside" : "inside: " + percent(s.inside.reduce((sum, c) => sum + c.ms, 0) / whole)),
    s.slow > 0 && svg("rect", { x: x + 8, y: y + 56, width: box.wide - 16, height: 12, class: "c-unknown" }),
    parts,
  );
};

const peerBox = (p, x, y) => {
  const [id, kind] = kinds[p.kind] || kinds.tcp;
  return svg(
    "g",
    { class: "node" + (p.address ? "" : " unnamed") },
    svg("title", null, nameOf(p)),
    svg("rect", { x, y, width: box.wide, height: box.peer, rx: 8, class: "body" }),
    block(id, { x, y: y + 8, width: 6, height: box.peer - 16 }),
    svg("text", { x: x + 14, y: y + 20, class: "name" }, p.address ? cut(p.name || p.address) : "not named"),
    svg("text", { x: x + 14, y: y + 37, class: "sub" }, kind + (p.address ? (p.name ? " " + cut(p.address, 20) : "") : ", address not seen")),
  );
};

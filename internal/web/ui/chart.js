// The chart of transactions that ended: time to the right, how long they took upwards
// (logarithmic), as dots or as a heat map. A box can be dragged, a dot opened.
import { el } from "./dom.js";
import { classOf, classes, label } from "./classes.js";
import { clock, count, duration, tick } from "./format.js";

const pad = { left: 58, right: 10, top: 8, bottom: 24 };
const steps = [50, 100, 200, 500, 1e3, 2e3, 3e3, 5e3, 8e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3, 10800e3, 43200e3, 86400e3];
const timeSteps = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400].map((s) => s * 1000);
const clickPixels = 4;

/** colour is what a CSS value is in the theme of the moment. */
const colours = (node) => {
  const probe = node.appendChild(el("i", { hidden: true }));
  const known = new Map();
  const colour = (name) => {
    if (!known.has(name)) {
      probe.style.color = "var(--" + name + ")";
      known.set(name, getComputedStyle(probe).color);
    }
    return known.get(name);
  };
  return { colour, forget: () => known.clear() };
};

/** path of a dot of radius r. */
const shapes = {
  circle: (c, x, y, r) => c.arc(x, y, r, 0, 7),
  ring: (c, x, y, r) => c.arc(x, y, r, 0, 7),
  square: (c, x, y, r) => c.rect(x - r, y - r, 2 * r, 2 * r),
  diamond: (c, x, y, r) => polygon(c, [x, y - r * 1.3], [x + r * 1.3, y], [x, y + r * 1.3], [x - r * 1.3, y]),
  triangle: (c, x, y, r) => polygon(c, [x, y - r * 1.2], [x + r * 1.2, y + r], [x - r * 1.2, y + r]),
  down: (c, x, y, r) => polygon(c, [x, y + r * 1.2], [x + r * 1.2, y - r], [x - r * 1.2, y - r]),
};
const polygon = (c, first, ...rest) => {
  c.moveTo(...first);
  for (const point of rest) c.lineTo(...point);
  c.closePath();
};

/** drawDot draws the dot of a class; colour resolves names of colours. */
export const drawDot = (c, colour, id, x, y, r) => {
  const { shape } = classes[classOf(id)];
  c.beginPath();
  shapes[shape](c, x, y, r);
  c.fillStyle = colour("c-" + classOf(id));
  if (shape !== "ring") c.fill();
  c.lineWidth = shape === "ring" ? 2 : 1;
  c.strokeStyle = shape === "ring" ? c.fillStyle : colour("edge");
  c.stroke();
};

/**
 * Chart draws into a container. show({from, to, dots, heat, box}) gives it what to draw: times
 * in milliseconds, dots as summaries or heat as the API's. onBox gets {from, to, minMs,
 * maxMs} of a dragged box, onOpen the summary of a dot.
 */
export class Chart {
  constructor(container, { onBox, onOpen }) {
    Object.assign(this, { container, onBox, onOpen, data: null, drag: null });
    this.canvas = el("canvas", { tabindex: "0", role: "img" });
    this.tip = el("div", { class: "tip", hidden: true });
    container.append(this.canvas, this.tip);
    this.colours = colours(container);
    const redraw = () => {
      this.colours.forget();
      this.draw();
    };
    new ResizeObserver(redraw).observe(container);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    addEventListener("themechange", redraw);
    this.listen();
  }

  show(data) {
    this.data = data;
    const what = data.heat ? "heat map" : "scatter";
    this.canvas.setAttribute("aria-label", `${what} of ${data.total} slow transactions from ${clock(data.from)} to ${clock(data.to)}; the table below lists them`);
    this.draw();
  }

  /** columns is how many columns of a heat map fit. */
  columns() {
    return Math.max(10, Math.min(90, Math.floor((this.container.clientWidth - pad.left - pad.right) / 22)));
  }

  scale() {
    const { from, to, dots, heat } = this.data;
    const width = this.container.clientWidth;
    const height = this.container.clientHeight;
    const seen = heat ? [heat.bounds_ms[0], heat.bounds_ms.at(-1)] : dots.map((d) => d.elapsed_ms);
    let low = Math.min(...seen, 2000);
    let high = Math.max(...seen, 10000);
    if (!heat) {
      low = Math.max(50, low / 1.15);
      high *= 1.15;
    }
    const [a, b] = [Math.log(low), Math.log(high)];
    const [w, h] = [width - pad.left - pad.right, height - pad.top - pad.bottom];
    return {
      width,
      height,
      low,
      high,
      x: (time) => pad.left + ((time - from) / (to - from)) * w,
      y: (ms) => pad.top + h - ((Math.log(Math.max(ms, 1)) - a) / (b - a)) * h,
      time: (x) => from + ((Math.min(Math.max(x, pad.left), pad.left + w) - pad.left) / w) * (to - from),
      ms: (y) => Math.exp(a + ((pad.top + h - Math.min(Math.max(y, pad.top), pad.top + h)) / h) * (b - a)),
    };
  }

  draw() {
    if (!this.data || !this.container.clientWidth) return;
    const s = this.scale();
    const ratio = devicePixelRatio || 1;
    this.canvas.width = s.width * ratio;
    this.canvas.height = s.height * ratio;
    const c = this.canvas.getContext("2d");
    c.scale(ratio, ratio);
    c.font = "11px system-ui, sans-serif";
    this.axes(c, s);
    if (this.data.heat) this.cells(c, s);
    else this.dots(c, s);
    this.drawBox(c, s);
  }

  axes(c, s) {
    const { colour } = this.colours;
    c.strokeStyle = colour("line");
    c.fillStyle = colour("soft");
    c.lineWidth = 1;
    const rule = (x1, y1, x2, y2) => {
      c.beginPath();
      c.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
      c.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
      c.stroke();
    };
    c.textAlign = "right";
    c.textBaseline = "middle";
    let last = Infinity;
    for (const ms of steps.filter((v) => v >= s.low && v <= s.high)) {
      const y = s.y(ms);
      rule(pad.left, y, s.width - pad.right, y);
      if (last - y < 15) continue;
      c.fillText(tick(ms), pad.left - 6, y);
      last = y;
    }
    const { from, to } = this.data;
    const room = (s.width - pad.left) / 85;
    const step = timeSteps.find((v) => (to - from) / v <= room) || 86400e3;
    const zone = new Date(from).getTimezoneOffset() * 60e3;
    c.textAlign = "center";
    c.textBaseline = "top";
    for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to; t += step) {
      const x = s.x(t);
      rule(x, pad.top, x, s.height - pad.bottom);
      if (x > pad.left + 20 && x < s.width - 22) c.fillText(step < 60e3 ? clock(t) : step < 43200e3 ? clock(t).slice(0, 5) : new Date(t).toLocaleDateString("sv-SE").slice(5), x, s.height - pad.bottom + 6);
    }
  }

  dots(c, s) {
    const { colour } = this.colours;
    const { dots, from } = this.data;
    this.placed = [];
    const r = dots.length > 1500 ? 3 : 4.5;
    for (let i = dots.length - 1; i >= 0; i--) {
      const dot = dots[i];
      const end = Date.parse(dot.end);
      if (end < from) continue;
      const [x, y] = [s.x(end), s.y(dot.elapsed_ms)];
      drawDot(c, colour, dot.class, x, y, r);
      if (dot.state === "failed") {
        c.strokeStyle = colour("bad");
        c.lineWidth = 2;
        c.beginPath();
        c.moveTo(x - r - 2, y - r - 2);
        c.lineTo(x + r + 2, y + r + 2);
        c.moveTo(x + r + 2, y - r - 2);
        c.lineTo(x - r - 2, y + r + 2);
        c.stroke();
      }
      this.placed.push({ x, y, dot });
    }
  }

  cells(c, s) {
    const { colour } = this.colours;
    const { heat } = this.data;
    const from = Date.parse(heat.from);
    const wide = (Date.parse(heat.to) - from) / heat.columns;
    const most = Math.max(1, ...heat.cells.map((cell) => cell.count));
    this.placed = [];
    c.textAlign = "center";
    c.textBaseline = "middle";
    for (const cell of heat.cells) {
      const [x, right] = [s.x(from + cell.column * wide), s.x(from + (cell.column + 1) * wide)];
      const [y, bottom] = [s.y(heat.bounds_ms[cell.row + 1]), s.y(heat.bounds_ms[cell.row])];
      const share = Math.sqrt(cell.count / most);
      c.fillStyle = colour("link");
      c.globalAlpha = 0.12 + 0.88 * share;
      c.fillRect(x, y, right - x - 1, bottom - y - 1);
      c.globalAlpha = 1;
      if (right - x > 8 + 6 * String(cell.count).length && bottom - y > 11) {
        c.fillStyle = colour(share > 0.55 ? "card" : "ink");
        c.fillText(cell.count, (x + right) / 2, (y + bottom) / 2);
      }
      if (cell.failed) {
        c.fillStyle = colour("bad");
        c.fillRect(x, bottom - 4, right - x - 1, 3);
      }
      this.placed.push({ x: (x + right) / 2, y: (y + bottom) / 2, cell, box: { from: from + cell.column * wide, to: from + (cell.column + 1) * wide, minMs: heat.bounds_ms[cell.row], maxMs: heat.bounds_ms[cell.row + 1] } });
    }
  }

  drawBox(c, s) {
    const { colour } = this.colours;
    const { box } = this.data;
    let place = this.drag && [this.drag.x1, this.drag.y1, this.drag.x2, this.drag.y2];
    if (!place && box) place = [s.x(box.from), box.maxMs ? s.y(box.maxMs) : pad.top, s.x(box.to), box.minMs ? s.y(box.minMs) : s.height - pad.bottom];
    if (!place) return;
    const [x1, y1, x2, y2] = place;
    c.fillStyle = c.strokeStyle = colour("link");
    c.globalAlpha = 0.12;
    c.fillRect(x1, y1, x2 - x1, y2 - y1);
    c.globalAlpha = 1;
    c.setLineDash([5, 3]);
    c.lineWidth = 1.5;
    c.strokeRect(x1, y1, x2 - x1, y2 - y1);
    c.setLineDash([]);
  }

  listen() {
    const at = (event) => {
      const place = this.canvas.getBoundingClientRect();
      return [event.clientX - place.left, event.clientY - place.top];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.data) return;
      const [x, y] = at(event);
      this.drag = { x1: x, y1: y, x2: x, y2: y };
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (!this.drag) return this.hover(x, y);
      this.drag.x2 = x;
      this.drag.y2 = y;
      this.tip.hidden = true;
      this.draw();
    });
    this.canvas.addEventListener("pointerup", () => this.drop());
    this.canvas.addEventListener("pointercancel", () => {
      this.drag = null;
      this.draw();
    });
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  drop() {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (Math.abs(drag.x2 - drag.x1) < clickPixels && Math.abs(drag.y2 - drag.y1) < clickPixels) {
      const found = this.nearest(drag.x1, drag.y1);
      if (found?.dot) this.onOpen(found.dot);
      else if (found?.box) this.onBox(found.box);
      return this.draw();
    }
    const s = this.scale();
    const times = [s.time(drag.x1), s.time(drag.x2)].sort((a, b) => a - b);
    const mss = [s.ms(drag.y1), s.ms(drag.y2)].sort((a, b) => a - b);
    this.onBox({ from: times[0], to: times[1], minMs: mss[0], maxMs: mss[1] });
  }

  nearest(x, y) {
    let best = null;
    let least = this.data?.heat ? 15 : 10;
    for (const place of this.placed || []) {
      const d = Math.hypot(place.x - x, place.y - y);
      if (d < least) [best, least] = [place, d];
    }
    return best;
  }

  hover(x, y) {
    const found = this.nearest(x, y);
    this.tip.hidden = !found;
    this.canvas.classList.toggle("over", Boolean(found));
    if (!found) return;
    const { dot, cell, box } = found;
    this.tip.textContent = dot
      ? `${clock(dot.end)} · ${duration(dot.elapsed_ms)} · ${label(dot.class)}\n${[dot.method, dot.route || "(no path seen)"].filter(Boolean).join(" ")}\n${dot.target}${dot.state === "finished" ? "" : " · " + dot.state}`
      : `${clock(box.from)} to ${clock(box.to)}, ${duration(box.minMs)} to ${duration(box.maxMs)}\n${count(cell.count)} transactions${cell.failed ? ", " + count(cell.failed) + " failed" : ""}`;
    const left = Math.min(x + 14, this.container.clientWidth - this.tip.offsetWidth - 4);
    this.tip.style.transform = `translate(${Math.max(0, left)}px, ${Math.max(0, y < 70 ? y + 14 : y - this.tip.offsetHeight - 10)}px)`;
  }
}

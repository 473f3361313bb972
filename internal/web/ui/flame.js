// The merged stacks as an icicle: the outermost call on top. One box is a tab stop; arrow
// keys walk from there.
import { fill, setText, svg } from "./dom.js";
import { classOf, label } from "./classes.js";
import { duration, percent } from "./format.js";

const rowPixels = 21;
// Narrower boxes are not drawn: nobody could see or hit them.
const least = 0.002;

/** view is what the reader chose; it stays when the record is drawn again. */
const view = { every: false, zoom: "", focus: "", drawn: "" };

/** drawFlame draws a tree; say shows the frame in hand, every is the button that unfolds. */
export const drawFlame = (node, say, every, tree) => {
  const draw = () => {
    every.setAttribute("aria-pressed", String(view.every));
    const state = JSON.stringify([tree, view.every, view.zoom]);
    if (view.drawn === state) return;
    view.drawn = state;
    const root = layOut(view.every ? tree : { ...tree, children: (tree.children || []).map(fold) });
    fill(node, picture(root, say, draw));
    const focused = [...node.querySelectorAll(".box")].find((box) => box.dataset.path === view.focus);
    (focused || node.querySelector(".box"))?.setAttribute("tabindex", "0");
    if (focused && view.refocus) focused.focus();
    view.refocus = false;
  };
  every.onclick = () => {
    view.every = !view.every;
    view.zoom = "";
    draw();
  };
  draw();
};

/** fold puts chains of calls that are not the application's into one box each. */
const fold = (node) => {
  const chain = [node];
  let last = node;
  const goesOn = (to) => to && !to.app && to.children?.length && to.ms === node.ms;
  while (!last.app && last.children?.length === 1 && goesOn(last.children[0])) {
    last = last.children[0];
    chain.push(last);
  }
  const children = (last.children || []).map(fold);
  if (chain.length < 3) return { ...node, children: chain.length === 1 ? children : [{ ...last, children }] };
  return { ...last, frame: `${chain.length} frames, ${short(chain[0].frame)} … ${short(last.frame)}`, folded: chain.map((c) => c.frame), children };
};

const short = (frame) => frame.replace(/^(?:[\w$]+\.)*([\w$]+\.[\w$<>]+)$/, "$1");

/** layOut gives each call its place: from and wide as shares of the root, depth, path. */
const layOut = (tree) => {
  const whole = Math.max(1, tree.ms);
  const place = (node, parent, from, depth, path) => {
    const box = { node, parent, from, depth, path, wide: parent ? node.ms / whole : 1, children: [] };
    let x = from;
    (node.children || []).forEach((child, i) => {
      const placed = place(child, box, x, depth + 1, path + "." + i);
      x += placed.wide;
      box.children.push(placed);
    });
    return box;
  };
  return place(tree, null, 0, 0, "0");
};

const flat = (box) => [box, ...box.children.flatMap(flat)];

const picture = (root, say, draw) => {
  const boxes = flat(root);
  const zoomed = boxes.find((b) => b.path === view.zoom) || root;
  const shown = boxes.filter((b) => {
    const share = Math.min(b.from + b.wide, zoomed.from + zoomed.wide) - Math.max(b.from, zoomed.from);
    return share / zoomed.wide > least;
  });
  const rows = 1 + Math.max(...shown.map((b) => b.depth));
  const byPath = new Map();
  const drawn = shown.map((b) => {
    const left = Math.max(b.from, zoomed.from);
    const share = (Math.min(b.from + b.wide, zoomed.from + zoomed.wide) - left) / zoomed.wide;
    const said = words(b, root);
    const { node } = b;
    const box = svg(
      "svg",
      { class: "box" + (node.app ? " app" : ""), x: ((left - zoomed.from) / zoomed.wide) * 100 + "%", width: share * 100 + "%", y: b.depth * rowPixels, height: rowPixels, tabindex: "-1", role: "button", "aria-label": said, "data-path": b.path },
      svg("title", null, said),
      svg("rect", { width: "100%", height: "100%", class: node.children?.length ? (node.app ? "f-app" : node.folded ? "f-fold" : "f-jdk") : "c-" + classOf(node.class) }),
      share > 0.02 && svg("text", { x: 5, y: 15 }, (node.children?.length ? "" : label(node.class) + ": ") + (node.folded ? node.frame : short(node.frame))),
    );
    const choose = () => {
      view.zoom = view.zoom === b.path ? "" : b.path;
      view.focus = b.path;
      view.refocus = true;
      draw();
    };
    box.addEventListener("click", choose);
    box.addEventListener("focus", () => setText(say, said));
    box.addEventListener("pointerenter", () => setText(say, said));
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        return choose();
      }
      const next = neighbour(b, event.key);
      const to = next && byPath.get(next.path);
      if (!to) return;
      event.preventDefault();
      box.setAttribute("tabindex", "-1");
      to.setAttribute("tabindex", "0");
      view.focus = next.path;
      to.focus();
    });
    byPath.set(b.path, box);
    return box;
  });
  return svg("svg", { class: "icicle", height: rows * rowPixels, role: "group", "aria-label": "merged stacks" }, drawn);
};

const words = (b, root) => {
  const { node } = b;
  const line = node.file ? ` (${node.file}${node.line > 0 ? ":" + node.line : ""})` : "";
  const time = `${duration(node.ms)}, ${percent(b.wide)}, ${node.samples} ${node.samples === 1 ? "look" : "looks"}`;
  return (node.folded ? node.folded.join("\n") : node.frame + line) + "\n" + time + (node.children?.length || b === root ? "" : ", " + label(node.class));
};

/** neighbour is where an arrow key leads. */
const neighbour = (b, key) => {
  const siblings = b.parent ? b.parent.children : [b];
  const at = siblings.indexOf(b);
  return { ArrowUp: b.parent, ArrowDown: b.children[0], ArrowLeft: siblings[at - 1], ArrowRight: siblings[at + 1] }[key];
};

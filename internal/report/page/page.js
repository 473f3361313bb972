// What the page can do beyond being read: sort, filter, zoom, expand. It works on what
// is there already and asks for nothing.
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  root.classList.add("js");

  // Theme: as the system has it, or light, or dark.
  const themes = ["auto", "light", "dark"];
  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    theme.textContent = "Theme: " + next;
  });

  // Icicle charts: the chosen box takes the whole width, those that hold it as well.
  const whole = 1e6;
  for (const chart of all(".icicle")) {
    const boxes = all(".box", chart).map((element) => ({
      element,
      from: Number(element.dataset.from),
      wide: Number(element.dataset.wide),
      text: element.querySelector("text"),
      label: element.querySelector("title").textContent.split("\n")[0],
    }));
    for (const box of boxes) {
      if (!box.text.textContent) box.text.textContent = box.label.replace(/[\w$]+\./g, "");
    }
    let chosen = null;
    const zoom = (to) => {
      chosen = to;
      const from = to ? to.from : 0;
      const wide = to ? to.wide : whole;
      for (const box of boxes) {
        const left = Math.max(box.from, from);
        const right = Math.min(box.from + box.wide, from + wide);
        const share = (right - left) / wide;
        box.element.style.display = share > 0.0005 ? "" : "none";
        if (share <= 0) continue;
        box.element.setAttribute("x", ((left - from) / wide) * 100 + "%");
        box.element.setAttribute("width", share * 100 + "%");
        box.text.style.display = share > 0.016 ? "" : "none";
      }
    };
    for (const box of boxes) {
      box.element.setAttribute("tabindex", "0");
      box.element.setAttribute("role", "button");
      const choose = () => zoom(chosen === box || box.wide === whole ? null : box);
      box.element.addEventListener("click", choose);
      box.element.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
      });
    }
    zoom(null);
  }

  // Dominator tree.
  for (const button of all("[data-tree]")) {
    button.addEventListener("click", () => {
      for (const details of all("#tree details")) details.open = button.dataset.tree === "open";
    });
  }

  // Histogram: sorted by a column, filtered by a part of the class's name, and at first
  // no longer than people read.
  const table = document.getElementById("histogram");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((element) => ({ element, name: element.cells[0].textContent.toLowerCase() }));
  const filter = document.getElementById("filter");
  const matches = document.getElementById("matches");
  const more = document.getElementById("more");
  const few = 100;
  let long = false;

  const show = () => {
    const wanted = filter.value.trim().toLowerCase();
    let found = 0;
    for (const row of rows) {
      const match = row.name.includes(wanted);
      if (match) found++;
      row.element.classList.toggle("away", !match || (!long && found > few));
    }
    matches.textContent = wanted ? found + " of " + rows.length + " classes" : "";
    more.hidden = long || found <= few;
    more.textContent = "Show all " + found;
  };
  const sort = (column, kind, up) => {
    const key = (row) => (kind === "number" ? Number(row.element.cells[column].dataset.v) : row.name);
    rows.sort((a, b) => {
      const x = key(a);
      const y = key(b);
      const order = x < y ? -1 : x > y ? 1 : 0;
      return up ? order : -order;
    });
    body.append(...rows.map((row) => row.element));
    show();
  };
  all("th[data-sort]", table).forEach((th) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = th.textContent;
    th.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = th.getAttribute("aria-sort");
      const up = before ? before === "descending" : th.dataset.sort === "text";
      for (const other of all("th[data-sort]", table)) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", up ? "ascending" : "descending");
      sort(th.cellIndex, th.dataset.sort, up);
    });
  });
  filter.addEventListener("input", show);
  more.addEventListener("click", () => {
    long = true;
    show();
  });
  show();
})();

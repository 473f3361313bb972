// Elements, and how to keep a page true to what the server says. Texts from outside only
// ever become text nodes and attributes' values.

const put = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false && c !== ""));
  return node;
};

/** el makes an HTML element: el("a", {href: "/"}, "text", child, ...). */
export const el = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);

/** svg makes an SVG element in the same way. */
export const svg = (tag, attributes, ...children) => put(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** byId is an element that the page has. */
export const byId = (id) => document.getElementById(id);

/** fill replaces what an element holds. */
export const fill = (node, ...children) => {
  node.replaceChildren();
  return put(node, null, children);
};

/** setText sets a text where it differs, so that a selection is not lost. */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

/**
 * keyed keeps the children of parent those of items, in order: make(item) is called for a
 * new key, update(node, item) for all. Nodes keep their focus.
 */
export const keyed = (parent, items, key, make, update) => {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    let node = old.get(k);
    old.delete(k);
    if (!node) {
      node = make(item);
      node.dataset.key = k;
    }
    update(node, item);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const node of old.values()) node.remove();
};

/** getJSON reads a route of the API; its error has the server's own words. */
export const getJSON = async (path) => {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw Object.assign(new Error((await response.text()).trim() || response.statusText), { status: response.status });
  return response.json();
};

/**
 * poll calls load now and every so many milliseconds after the last call ended, while the
 * page is in view. What load throws is shown in the element #trouble until it works
 * again. load may return "stop". It returns a function that calls load at once.
 */
export const poll = (everyMs, load) => {
  let timer = 0;
  let running = false;
  let again = false;
  const trouble = byId("trouble");
  const round = async () => {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    running = true;
    let stop = false;
    try {
      stop = (await load()) === "stop";
      trouble.hidden = true;
    } catch (error) {
      trouble.hidden = false;
      setText(trouble, error.status ? error.message : "The sidecar does not answer: what is shown is old.");
    }
    running = false;
    if (again) {
      again = false;
      return round();
    }
    if (!stop && !document.hidden) timer = setTimeout(round, everyMs);
  };
  document.addEventListener("visibilitychange", () => document.hidden || round());
  round();
  return round;
};

/** address keeps the choices of the page in its address, so that it can be passed on. */
export const address = {
  get: (name) => new URLSearchParams(location.search).get(name) || "",
  set: (name, value) => {
    const query = new URLSearchParams(location.search);
    if (value) query.set(name, value);
    else query.delete(name);
    history.replaceState(null, "", location.pathname + (query.size ? "?" + query : ""));
  },
};

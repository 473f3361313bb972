// The page /transactions: what is in flight, and the slow ones that have ended.
import { address, byId, el } from "./dom.js";
import { startActive } from "./active.js";
import { startFinished } from "./finished.js";

const target = byId("target");

// The choice of a target holds for both halves of the page.
const active = startActive(target, (targets) => {
  const known = new Set([...target.options].map((o) => o.value));
  for (const t of targets) if (!known.has(t.target)) target.append(el("option", null, t.target));
  const wanted = address.get("target");
  if (wanted && !target.value) target.value = wanted;
});
const finished = startFinished(target);
if (address.get("target")) {
  target.append(el("option", null, address.get("target")));
  target.value = address.get("target");
}
target.addEventListener("change", () => {
  address.set("target", target.value);
  active();
  finished();
});

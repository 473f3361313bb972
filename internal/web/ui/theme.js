// The theme: as the system has it, or light, or dark. It is applied before the page is
// drawn, and stays from page to page.
(() => {
  "use strict";
  const themes = ["auto", "light", "dark"];
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is blocked: the choice lasts for this page
    }
  };
  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  apply(themes.includes(stored()) ? stored() : "auto");
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => (button.textContent = "Theme: " + (root.dataset.theme || "auto"));
    button.hidden = false;
    say();
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(root.dataset.theme || "auto") + 1) % themes.length];
      apply(next);
      say();
      try {
        localStorage.setItem("theme", next);
      } catch {
        // see above
      }
      dispatchEvent(new Event("themechange"));
    });
  });
})();

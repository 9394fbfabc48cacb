/**
 * The script of every page: theme toggle and copy buttons, both hidden without it. A constant: no
 * text of a request or an event ever gets into a script, and its hash is in the content security policy.
 */
export const SCRIPT = `
(() => {
  const root = document.documentElement;
  const storage = (use) => { try { return use(localStorage); } catch { return null; } };
  const saved = storage((store) => store.getItem("grasp-theme"));
  if (saved === "dark" || saved === "light") root.dataset.theme = saved;
  const current = () => root.dataset.theme ||
    (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  document.addEventListener("DOMContentLoaded", () => {
    const toggle = document.getElementById("theme");
    const show = () => { toggle.textContent = current() === "dark" ? "Light theme" : "Dark theme"; };
    toggle.hidden = false;
    show();
    toggle.addEventListener("click", () => {
      root.dataset.theme = current() === "dark" ? "light" : "dark";
      storage((store) => store.setItem("grasp-theme", root.dataset.theme));
      show();
    });
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", () => copy(button));
    }
  });
})();`;

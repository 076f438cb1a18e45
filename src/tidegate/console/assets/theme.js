// Runs in <head> before the style sheet, so that no page flashes in the wrong theme.
// The choice is "light" or "dark"; without one the system decides.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  const stored = () => {
    try {
      const choice = localStorage.getItem("tidegate-theme");
      return choice === "light" || choice === "dark" ? choice : "system";
    } catch {
      return "system"; // storage may be forbidden
    }
  };

  const apply = () => {
    const choice = stored();
    root.dataset.theme = choice;
    root.classList.toggle("dark", choice === "dark" || (choice === "system" && system.matches));
  };

  apply();
  root.classList.add("js");
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  document.addEventListener("tidegate-theme", apply);
})();

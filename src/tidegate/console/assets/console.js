// What the pages can do beyond plain HTML. Everything works without this file.

const NEXT_THEME = { system: "light", light: "dark", dark: "system" };

const labelThemeButtons = () => {
  const choice = document.documentElement.dataset.theme;
  for (const button of document.querySelectorAll("[data-theme-button]")) {
    const label = `Theme: ${choice}. Switch to ${NEXT_THEME[choice]}`;
    button.setAttribute("aria-label", label);
    button.title = label;
  }
};

const switchTheme = () => {
  const next = NEXT_THEME[document.documentElement.dataset.theme];
  try {
    if (next === "system") localStorage.removeItem("tidegate-theme");
    else localStorage.setItem("tidegate-theme", next);
  } catch {
    return; // without storage the system's theme stays
  }
  document.dispatchEvent(new Event("tidegate-theme"));
  labelThemeButtons();
};

const copyText = async (button) => {
  const label = button.getAttribute("aria-label");
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("tg-copied");
    button.setAttribute("aria-label", "Copied");
  } catch {
    button.setAttribute("aria-label", "Could not copy: select the text instead");
  }
  setTimeout(() => {
    button.classList.remove("tg-copied");
    button.setAttribute("aria-label", label);
  }, 2000);
};

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const themeButton = event.target.closest("[data-theme-button]");
  if (themeButton) switchTheme();
  const copyButton = event.target.closest("[data-copy]");
  if (copyButton) copyText(copyButton);
  const menu = document.querySelector("details.tg-menu[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.tg-menu[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

labelThemeButtons();

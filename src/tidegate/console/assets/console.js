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

const copyByHand = (button) => {
  const field = document.createElement("textarea");
  field.value = button.dataset.copy;
  field.className = "tg-copying";
  button.after(field); // within the dialog, if there is one: what is outside cannot be selected
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  button.focus();
  if (!copied) throw new Error("the browser does not copy");
};

const copyText = async (button) => {
  if (button.classList.contains("tg-copied")) return;
  const label = button.getAttribute("aria-label");
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(button.dataset.copy);
    else copyByHand(button); // a server without TLS
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
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = [...document.querySelectorAll("details[data-menu][open]")];
  const menu = open.findLast((each) => each.contains(document.activeElement)) ?? open.at(-1);
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// On a phone the sections of the settings scroll sideways.
document
  .querySelector(".tg-sections [aria-current]")
  ?.scrollIntoView({ block: "nearest", inline: "center" });

// A new organization lives in the zone of whoever founds it, until someone chooses another.
for (const field of document.querySelectorAll("[data-own-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[hx-post]")) return; // htmx sees to it
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Messages of the server: `tg:toast` tells one at once, the page brings one after a redirect.
const TOAST_MS = 6000;

const closeButton = (toast) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tg-icon-button";
  button.setAttribute("aria-label", "Close the message");
  button.textContent = "\u00d7";
  button.addEventListener("click", () => toast.remove());
  return button;
};

const showToast = (text, failed) => {
  const toast = document.createElement("p");
  toast.className = failed ? "tg-toast tg-toast-failed" : "tg-toast";
  toast.append(text);
  if (failed) toast.append(closeButton(toast));
  else setTimeout(() => toast.remove(), TOAST_MS);
  document.getElementById("tg-toasts").append(toast);
};

document.addEventListener("tg:toast", (event) => showToast(event.detail.text, event.detail.failed));
for (const toast of document.querySelectorAll("[data-toast]")) {
  setTimeout(() => toast.remove(), TOAST_MS);
}

// A page that cannot renew its parts by itself (it would call preventDefault) is loaded anew, and
// shows the message of the change then.
const KEPT_TOAST = "tidegate-toast";

document.addEventListener("tg:changed", (event) => {
  setTimeout(() => {
    if (event.defaultPrevented) return;
    const toast = document.querySelector("#tg-toasts > :last-child");
    if (toast) sessionStorage.setItem(KEPT_TOAST, toast.textContent);
    location.reload();
  });
});
const keptToast = sessionStorage.getItem(KEPT_TOAST);
if (keptToast) {
  sessionStorage.removeItem(KEPT_TOAST);
  showToast(keptToast, false);
}

labelThemeButtons();

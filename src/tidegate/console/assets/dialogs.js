// Dialogs, their switches, and the wait for a first request. Every dialog is a page of its own too:
// without this file its links and forms lead there.

const dialog = document.getElementById("tg-dialog");
const dialogBody = document.getElementById("tg-dialog-body");
const toasts = document.getElementById("tg-toasts");
const UNREACHABLE = "The server cannot be reached. Try again in a moment.";
const LOOK_MS = 1000;
const LOOK_SELDOM_MS = 5000;
const LOOKS_OFTEN = 600;

let opener = null; // where the focus goes back to: an element, and how to find its successor
let closings = 0; // an answer to what was asked before the last one comes too late to be shown
let cleared = true; // whether nothing is left of the last dialog
let changed = false; // whether the page behind shows something that is not so any more

const tell = (text) =>
  document.body.dispatchEvent(
    new CustomEvent("tg:toast", { bubbles: true, detail: { text, failed: true } }),
  );

const renew = () =>
  document.body.dispatchEvent(new CustomEvent("tg:changed", { bubbles: true, cancelable: true }));

const load = (verb, url, { source, event, target = dialogBody, swap = "innerHTML" }) => {
  if (!dialog.open && target === dialogBody) {
    clear(); // the browser may not have told yet that the last one is closed
    const element = event.submitter ?? source;
    opener = { element, id: element.id, url: element.getAttribute("href") };
  }
  return htmx.ajax(verb, url, { source, event, target, swap, asked: closings });
};

// What stands in a dialog that has just come into view.

const firstFocus = () =>
  dialogBody.querySelector("[aria-invalid=true]") ??
  dialogBody.querySelector("[autofocus]") ??
  dialogBody.querySelector("#tg-dialog-title");

const show = () => {
  if (!dialog.open) {
    dialog.append(toasts); // what stands outside a modal dialog cannot be pressed
    const root = document.documentElement;
    root.classList.toggle("tg-scrollbar", innerWidth > root.clientWidth); // nothing is to jump
    dialog.showModal();
    cleared = false;
  }
  firstFocus()?.focus();
  if (dialogBody.querySelector("[data-changed]")) changed = true;
  dialogBody.querySelector("[data-copy-now]")?.click();
  start(dialogBody);
};

const successor = () => {
  const { element, id, url } = opener ?? {};
  if (element?.isConnected) return element;
  const byId = id && document.getElementById(id);
  return byId || (url && document.querySelector(`[data-dialog][href="${CSS.escape(url)}"]`));
};

const clear = () => {
  if (cleared) return;
  cleared = true;
  closings++;
  dialogBody.replaceChildren(); // no secret stays behind, and what waits stops waiting
  document.body.append(toasts);
  (successor() || document.getElementById("main"))?.focus();
  opener = null;
  if (changed) renew();
  changed = false;
};

dialog.addEventListener("close", () => {
  if (!dialog.open) clear();
});

// The browser lets Tab leave a dialog for its own controls; here it goes round.
dialog.addEventListener("keydown", (event) => {
  if (event.key !== "Tab") return;
  const stops = [...dialog.querySelectorAll("a[href], button, input, select, textarea")].filter(
    (each) => each.tabIndex >= 0 && !each.disabled && each.type !== "hidden" && each.checkVisibility(),
  );
  const [first, last] = [stops.at(0), stops.at(-1)];
  const inside = stops.includes(document.activeElement);
  if (event.shiftKey ? document.activeElement === first || !inside : document.activeElement === last) {
    event.preventDefault();
    (event.shiftKey ? last : first)?.focus();
  }
});

// What leads to a dialog, on the page and in the dialog itself.

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || event.defaultPrevented) return;
  if (event.target.closest("[data-dialog-close]")) dialog.close();
  const link = event.target.closest("a[data-dialog], button[data-dialog]");
  if (!link || link.closest(".tg-view-alone")) return;
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  load("GET", link.dataset.dialog || link.getAttribute("href"), { source: link, event });
});

const flip = (form) => {
  const control = form.querySelector("[role=switch]");
  if (!control) return () => {};
  const was = control.getAttribute("aria-checked");
  control.setAttribute("aria-checked", was === "true" ? "false" : "true");
  control.setAttribute("aria-busy", "true");
  return () => {
    control.setAttribute("aria-checked", was);
    control.removeAttribute("aria-busy");
  };
};

const send = async (form, event) => {
  const part = form.dataset.replace && document.querySelector(form.dataset.replace);
  const place = part ? { target: part, swap: "outerHTML" } : {};
  const undo = flip(form);
  form.setAttribute("aria-busy", "true");
  await load("POST", form.getAttribute("action"), { source: form, event, ...place });
  if (!form.isConnected) return; // the answer stands in its place
  undo();
  form.removeAttribute("aria-busy");
  delete form.dataset.sent;
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.matches("[hx-post]")) return;
  if (!form.matches("[data-dialog], [data-replace]") && !dialog.contains(form)) return;
  event.preventDefault();
  send(form, event);
});

// What comes back.

const isOurs = ({ target }) => target === dialogBody || target?.closest?.("#tg-dialog, .tg-view");

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (!isOurs(ctx) || ctx.swap === "none") return;
  const { raw } = ctx.response;
  const isPart =
    raw.headers.get("content-type")?.startsWith("text/html") && !/^\s*<!doctype/i.test(ctx.text);
  const isLate = ctx.asked !== closings;
  if (isPart && !raw.redirected && !isLate) return;
  event.preventDefault();
  if (isLate) renew();
  else if (raw.redirected) location.assign(raw.url);
  else tell(raw.ok ? UNREACHABLE : ctx.text.length < 200 ? ctx.text : UNREACHABLE);
});

document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx.target === dialogBody && ctx.response.status === 204) dialog.close();
  if (ctx.swap === "none") return;
  if (ctx.target === dialogBody) show();
  else if (ctx.target.matches?.("[data-waiting]")) changed = dialog.open;
});

document.addEventListener("htmx:response:error", (event) => {
  const { ctx } = event.detail;
  if (!isOurs(ctx)) return;
  if (ctx.response.status === 404) changed = dialog.open; // it was there when the page was made
  if (ctx.target.matches("[data-waiting]")) ctx.target.removeAttribute("data-waiting");
});

document.addEventListener("htmx:error", (event) => {
  const { ctx } = event.detail;
  if (ctx && isOurs(ctx) && !ctx.target.matches("[data-waiting]")) tell(UNREACHABLE);
});

// The wait for the first request: asked while someone looks, often at first.

const pause = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));

const untilVisible = () =>
  new Promise((go) => {
    if (!document.hidden) go();
    else document.addEventListener("visibilitychange", go, { once: true });
  });

const wait = async (element) => {
  for (let looks = 0; element.isConnected && element.dataset.waiting; looks++) {
    await pause(looks < LOOKS_OFTEN ? LOOK_MS : LOOK_SELDOM_MS);
    await untilVisible();
    if (!element.isConnected) return;
    await load("GET", element.dataset.waiting, { source: element, event: {}, target: element });
    if (element.querySelector(".tg-waiting-over")) return;
  }
};

const count = (element) => {
  const began = performance.now() - 1000 * Number(element.dataset.elapsed);
  const tick = () => {
    const seconds = Math.floor((performance.now() - began) / 1000);
    element.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (!element.isConnected) clearInterval(ticking);
  };
  const ticking = setInterval(tick, 1000);
  tick();
};

const start = (root) => {
  for (const element of root.querySelectorAll("[data-waiting]")) wait(element);
  for (const element of root.querySelectorAll("[data-elapsed]")) {
    if (element.dataset.elapsed) count(element);
  }
};

start(document);

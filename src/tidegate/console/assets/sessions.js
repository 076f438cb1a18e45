// The list of sessions: fetched and put in place when a control is used. Everything works without
// this file.

import { keepPanelsInside, watchFilters } from "./filter_menus.js";
import { tellTimes } from "./times.js";

const list = document.getElementById("tg-sessions");
const skewMs = Number(list.dataset.now) - Date.now(); // of this machine's clock

let running = null; // the request under way

const failed = () =>
  document.body.dispatchEvent(
    new CustomEvent("tg:toast", {
      bubbles: true,
      detail: { text: "The list could not be read. Try again in a moment.", failed: true },
    }),
  );

const fetchPart = async (url, signal = undefined) => {
  const timeout = AbortSignal.timeout(20_000);
  const response = await fetch(url, {
    headers: { "HX-Request": "true", "HX-Current-URL": location.href },
    cache: "no-store",
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (!response.headers.has("hx-redirect")) return response;
  location.assign(response.headers.get("hx-redirect"));
  return undefined;
};

// Rows: one can be reached with Tab, the arrow keys lead to the others.

const rowLinks = () => [...list.querySelectorAll("a[data-row]")];

const reachOneRow = () => {
  for (const [at, link] of rowLinks().entries()) link.tabIndex = at ? -1 : 0;
};

const moveInRows = (event) => {
  const links = rowLinks();
  const at = links.indexOf(event.target);
  const steps = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: links.length - 1 };
  if (at < 0 || !(event.key in steps)) return false;
  const next = links[Math.max(0, Math.min(links.length - 1, steps[event.key]))];
  for (const link of links) link.tabIndex = link === next ? 0 : -1;
  next.focus();
  return true;
};

const settle = () => {
  keepPanelsInside(list);
  reachOneRow();
  tellTimes(list, skewMs);
};

// What is asked for later wins.
const fetchList = async (search) => {
  running?.abort();
  const mine = (running = new AbortController());
  document.getElementById("session-list")?.setAttribute("aria-busy", "true");
  try {
    const response = await fetchPart(`/sessions/parts${search}`, mine.signal);
    if (!response) return;
    if (response.status === 403 || response.status === 404) return location.reload();
    if (response.status !== 200) return failed();
    const text = await response.text();
    if (mine.signal.aborted) return;
    await htmx.swap({ target: list, swap: "innerMorph", text, sourceElement: list });
    settle();
  } catch {
    if (!mine.signal.aborted) failed();
  } finally {
    if (running === mine) running = null;
    document.getElementById("session-list")?.removeAttribute("aria-busy");
  }
};

// The state of every control is in the address.
const go = (url) => {
  const target = new URL(url, location.href);
  if (target.href !== location.href) history.pushState(null, "", target);
  return fetchList(target.search);
};

const fetchChoices = async (name) => {
  const query = new URLSearchParams(location.search);
  query.delete("at");
  query.set("of", name);
  const response = await fetchPart(`/sessions/choices?${query}`);
  return response?.status === 200 ? response.text() : undefined;
};

list.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("a");
  const row = event.target.closest(".tg-sessions tbody tr");
  if (link?.matches("[data-part]")) {
    event.preventDefault();
    link.closest("details[open]")?.removeAttribute("open");
    go(link.getAttribute("href"));
  } else if (!link && row && getSelection().isCollapsed) {
    location.assign(row.querySelector("a[data-row]").href);
  } else if (link?.matches("[download]")) {
    link.closest("details").open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea") || event.target.closest("dialog")) return;
  if (moveInRows(event)) event.preventDefault();
  else if (event.key === "/") {
    event.preventDefault();
    document.getElementById("find").focus();
  }
});

addEventListener("popstate", () => fetchList(location.search));
watchFilters(list, { go, fetchChoices });
settle();

// Logs: the list is fetched and put in place when a control is used, what takes longer is loaded
// apart, and new requests are counted, not moved in. Everything works without this file.

import { hideTips, moveInChart, watchCharts } from "./chart_tips.js";
import { keepPanelsInside, watchFilters } from "./filter_menus.js";
import { failed, isOlderThan, onRetry, succeeded } from "./freshness.js";
import { tellTimes } from "./times.js";

const EVERY_MS = 15_000;

const log = document.getElementById("tg-log");
const note = document.querySelector("[data-live-note]");
const skewMs = Number(log.dataset.now) - Date.now(); // of this machine's clock
const loaded = new Map(); // what was loaded apart, by its address

let running = null; // the request under way for the list
let opening = null; // the same for a row
let nextPoll = 0;
let leaving = false; // the page goes elsewhere

const part = (id) => document.getElementById(id);

// The filters and the range, wherever in the list one is.
const filters = (more = {}) => {
  const query = new URLSearchParams(location.search);
  query.delete("at");
  query.delete("open");
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  const text = query.toString();
  return text ? `?${text}` : "";
};

// A part of the page. Undefined: it could not be had, or is not wanted any more.
const fetchPart = async (url, signal = undefined) => {
  const timeout = AbortSignal.timeout(20_000);
  const response = await fetch(url, {
    headers: { "HX-Request": "true", "HX-Current-URL": location.href },
    cache: "no-store",
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (response.headers.has("hx-redirect")) {
    leaving = true;
    location.assign(response.headers.get("hx-redirect"));
    return undefined;
  }
  return response;
};

const putIn = (element, html) => {
  element.innerHTML = html;
  tellTimes(element, skewMs);
};

const retryLine = () => {
  const line = document.createElement("p");
  line.className = "tg-log-waiting";
  line.setAttribute("role", "alert");
  const again = document.createElement("button");
  again.type = "button";
  again.className = "tg-link";
  again.textContent = "Try again";
  again.addEventListener("click", loadApart);
  line.append("This could not be read. ", again);
  return line;
};

const loadInto = async (element) => {
  const url = element.dataset.load + filters();
  if (loaded.has(url)) return putIn(element, loaded.get(url));
  element.setAttribute("aria-busy", "true");
  try {
    const response = await fetchPart(url);
    if (!response || element.dataset.load + filters() !== url) return;
    if (response.status !== 200) throw new Error(`answered ${response.status}`);
    loaded.set(url, await response.text());
    if (element.isConnected) putIn(element, loaded.get(url));
  } catch {
    if (element.isConnected && !leaving) element.replaceChildren(retryLine());
  } finally {
    element.removeAttribute("aria-busy");
  }
};

const loadApart = () => {
  for (const element of log.querySelectorAll("[data-load]")) {
    if (part("log-list")) loadInto(element);
  }
};

// Rows: one can be reached with Tab, the arrow keys lead to the others.

const rowLinks = () => [...log.querySelectorAll("a[data-row]")];

const reachOneRow = () => {
  const links = rowLinks();
  const chosen = links.find((link) => link.hasAttribute("aria-current")) ?? links[0];
  for (const link of links) link.tabIndex = link === chosen ? 0 : -1;
  for (const link of log.querySelectorAll("tbody a:not([data-row])")) link.tabIndex = -1;
};

const focusRow = (link) => {
  for (const each of rowLinks()) each.tabIndex = each === link ? 0 : -1;
  link.focus();
};

const moveInRows = (event) => {
  const links = rowLinks();
  const at = links.indexOf(event.target);
  const steps = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: links.length - 1 };
  if (at < 0 || !(event.key in steps)) return false;
  focusRow(links[Math.max(0, Math.min(links.length - 1, steps[event.key]))]);
  return true;
};

const markRow = (eventId) => {
  for (const link of rowLinks()) {
    const isOpen = link.dataset.row === eventId;
    link.toggleAttribute("aria-current", isOpen);
    if (isOpen) link.setAttribute("aria-current", "true");
    link.closest("tr").classList.toggle("tg-row-open", isOpen);
  }
  part("log-split").classList.toggle("tg-log-open", eventId !== "");
};

const openRow = async (eventId, href) => {
  opening?.abort();
  const mine = (opening = new AbortController());
  try {
    const response = await fetchPart(`/logs/${encodeURIComponent(eventId)}`, mine.signal);
    if (!response) return;
    const text = await response.text();
    if (mine.signal.aborted) return;
    if (response.status !== 200) throw new Error(`answered ${response.status}`);
    putIn(part("log-side"), text);
    markRow(eventId);
    history.pushState(null, "", href);
    part("event-title").focus({ preventScroll: true });
  } catch {
    if (!mine.signal.aborted) location.assign(href); // the page tells why
  }
};

const closeRow = () => {
  const eventId = new URLSearchParams(location.search).get("open");
  const target = new URL(location.href);
  target.searchParams.delete("open");
  history.pushState(null, "", target);
  part("log-side").replaceChildren();
  markRow("");
  reachOneRow();
  const link = rowLinks().find((each) => each.dataset.row === eventId);
  if (link) focusRow(link);
};

// Putting the list in place.

const settle = () => {
  hideTips();
  keepPanelsInside(log);
  reachOneRow();
  tellTimes(log, skewMs);
  loadApart();
  note.hidden = !part("log-list")?.hasAttribute("data-top");
};

// What is asked for later wins.
const fetchList = async (search) => {
  running?.abort();
  opening?.abort();
  const mine = (running = new AbortController());
  part("log-list")?.setAttribute("aria-busy", "true");
  try {
    const response = await fetchPart(`/logs/parts${search}`, mine.signal);
    if (!response) return;
    if (response.status === 403 || response.status === 404) return location.reload();
    if (response.status !== 200) return failed();
    const text = await response.text();
    if (mine.signal.aborted) return;
    await htmx.swap({ target: log, swap: "innerMorph", text, sourceElement: log });
    settle();
    succeeded();
  } catch {
    if (!mine.signal.aborted) failed();
  } finally {
    if (running === mine) running = null;
    part("log-list")?.removeAttribute("aria-busy");
  }
};

// The state of every control is in the address.
const go = (url) => {
  const target = new URL(url, location.href);
  if (target.href !== location.href) history.pushState(null, "", target);
  return fetchList(target.search);
};

const isPlainClick = (event) =>
  event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

log.addEventListener("click", (event) => {
  if (event.defaultPrevented || !isPlainClick(event)) return;
  const link = event.target.closest("a");
  const row = event.target.closest(".tg-log tbody tr");
  if (link?.matches("[data-part]")) {
    event.preventDefault();
    link.closest("details[open]")?.removeAttribute("open");
    if (link.matches("[data-newest], [data-again]")) loaded.clear();
    go(link.getAttribute("href"));
  } else if (link?.matches("[data-close]")) {
    event.preventDefault();
    closeRow();
  } else if (link?.matches("[data-row]") || (!link && row && getSelection().isCollapsed)) {
    event.preventDefault();
    const opener = link ?? row.querySelector("a[data-row]");
    openRow(opener.dataset.row, opener.getAttribute("href"));
  } else if (link?.matches("[download]")) {
    link.closest("details").open = false;
  }
});

const fetchChoices = async (name) => {
  const response = await fetchPart(`/logs/choices${filters({ of: name })}`);
  return response?.status === 200 ? response.text() : undefined;
};

watchFilters(log, { go, fetchChoices });

// Esc closes what is on top: a menu before the row. Menus are closed by another script.
let menuWasOpen = false;
document.addEventListener(
  "keydown",
  () => (menuWasOpen = document.querySelector("details[data-menu][open]") !== null),
  true,
);

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea") || event.target.closest("dialog")) return;
  const inChart = event.target.matches(".tg-bar");
  if (inChart ? moveInChart(event) : moveInRows(event)) event.preventDefault();
  else if (event.key === "/") {
    event.preventDefault();
    part("find").focus();
  } else if (event.key === "Escape") {
    hideTips();
    if (!menuWasOpen && part("event-title")) closeRow();
  }
});

addEventListener("popstate", () => fetchList(location.search));

// What came since.

const poll = async () => {
  clearTimeout(nextPoll);
  nextPoll = setTimeout(poll, EVERY_MS);
  const top = part("log-list")?.dataset.top;
  if (document.hidden || running || top === undefined) return;
  const url = `/logs/new${filters({ since: top })}`;
  try {
    const response = await fetchPart(url);
    if (!response) return;
    const text = await response.text();
    if (part("log-list")?.dataset.top !== top || running) return;
    if (response.status === 200) part("log-new").innerHTML = text;
    else if (response.status !== 204) return failed();
    succeeded();
  } catch {
    if (!leaving) failed();
  }
};

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isOlderThan(EVERY_MS)) poll();
});
document.addEventListener("tg:changed", (event) => {
  event.preventDefault(); // this page renews its parts by itself
  loaded.clear();
  fetchList(location.search);
});
onRetry(poll);
addEventListener("pagehide", () => (leaving = true));

watchCharts(log);
settle();
nextPoll = setTimeout(poll, EVERY_MS);

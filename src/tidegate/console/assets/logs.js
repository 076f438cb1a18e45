// Logs: what takes longer than the list is loaded apart, a row opens beside it, and new requests
// are counted, not moved in. Everything works without this file.

import { hideTips, moveInChart, watchCharts } from "./chart_tips.js";
import { failed, isOlderThan, onRetry, succeeded } from "./freshness.js";
import { filters, watchList } from "./list.js";
import { fetchPart, isLeaving, isPlainClick } from "./page_parts.js";

const EVERY_MS = 15_000;

const log = document.getElementById("tg-log");
const note = document.querySelector("[data-live-note]");
const loaded = new Map(); // what was loaded apart, by its address

let opening = null; // the request under way for a row
let nextPoll = 0;

const part = (id) => document.getElementById(id);

const putIn = (element, html) => {
  element.innerHTML = html;
  list.tellTimesIn(element);
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
    if (element.isConnected && !isLeaving()) element.replaceChildren(retryLine());
  } finally {
    element.removeAttribute("aria-busy");
  }
};

const loadApart = () => {
  for (const element of log.querySelectorAll("[data-load]")) {
    if (part("log-list")) loadInto(element);
  }
};

const markRow = (eventId) => {
  for (const link of list.rowLinks()) {
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
    const response = await fetchPart(`/logs/${encodeURIComponent(eventId)}`, { signal: mine.signal });
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
  list.reachOneRow();
  const link = list.rowLinks().find((each) => each.dataset.row === eventId);
  if (link) list.focusRow(link);
};

const settled = () => {
  hideTips();
  for (const link of log.querySelectorAll("tbody a:not([data-row])")) link.tabIndex = -1;
  loadApart();
  note.hidden = !part("log-list")?.hasAttribute("data-top");
};

const openRowOf = (link) => openRow(link.dataset.row, link.getAttribute("href"));

log.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-close], a[data-row]");
  if (!link || !isPlainClick(event)) return;
  event.preventDefault();
  if (link.matches("[data-close]")) closeRow();
  else openRowOf(link);
});

// Before the list is fetched anew, so that all of it is.
log.addEventListener(
  "click",
  (event) => {
    if (event.target.closest("[data-newest], [data-again]")) loaded.clear();
  },
  true,
);

// Esc closes what is on top: a menu before the row. Menus are closed by another script.
let menuWasOpen = false;
document.addEventListener(
  "keydown",
  () => (menuWasOpen = document.querySelector("details[data-menu][open]") !== null),
  true,
);

const pressed = (event) => {
  if (event.target.matches(".tg-bar")) return moveInChart(event);
  if (event.key !== "Escape") return false;
  hideTips();
  if (!menuWasOpen && part("event-title")) closeRow();
  return false;
};

const list = watchList(log, {
  path: "/logs",
  id: "log-list",
  succeeded,
  failed,
  opens: openRowOf,
  begins: () => opening?.abort(),
  settled,
  pressed,
});

// What came since.

const poll = async () => {
  clearTimeout(nextPoll);
  nextPoll = setTimeout(poll, EVERY_MS);
  const top = part("log-list")?.dataset.top;
  if (document.hidden || list.isFetching() || top === undefined) return;
  const url = `/logs/new${filters({ since: top })}`;
  try {
    const response = await fetchPart(url);
    if (!response) return;
    const text = await response.text();
    if (part("log-list")?.dataset.top !== top || list.isFetching()) return;
    if (response.status === 200) part("log-new").innerHTML = text;
    else if (response.status !== 204) return failed();
    succeeded();
  } catch {
    if (!isLeaving()) failed();
  }
};

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isOlderThan(EVERY_MS)) poll();
});
document.addEventListener("tg:changed", (event) => {
  event.preventDefault(); // this page renews its parts by itself
  loaded.clear();
  list.fetchList();
});
onRetry(poll);

watchCharts(log);
list.settle();
nextPoll = setTimeout(poll, EVERY_MS);

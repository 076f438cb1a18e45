// Team and My usage: their parts are fetched and put in place of the old ones, when a control is
// used and every 15 seconds while the page is looked at. Everything works without this file.

import { hideTips, moveInChart, showTip, watchCharts } from "./chart_tips.js";
import { failed, isOlderThan, onRetry, succeeded } from "./freshness.js";
import { addressOf, fetchPart, isPageKey, isPlainClick } from "./page_parts.js";
import { tellTimes } from "./times.js";

const EVERY_MS = 15_000;
const TICK_MS = 5_000;
const TYPING_MS = 250;

const live = document.getElementById("tg-live");

const skewMs = Number(live.dataset.now) - Date.now(); // of this machine's clock

let tag = live.dataset.tag;
let running = null; // the request under way
let nextPoll = 0;

// Renewing the parts.

const figuresNow = () =>
  new Map([...live.querySelectorAll("data")].map((figure) => [figure, figure.value]));

const pulse = (element) => {
  element.classList.add("tg-pulse");
  element.addEventListener("animationend", () => element.classList.remove("tg-pulse"), { once: true });
};

const isBusy = () => {
  const focused = document.activeElement;
  const typing = focused instanceof HTMLInputElement && live.contains(focused);
  return typing || live.querySelector("details[open]") !== null;
};

const putInPlace = async (text, whole) => {
  const before = figuresNow();
  const focused = document.activeElement;
  const typed = focused instanceof HTMLInputElement && focused.type === "search" ? focused.value : null;
  await htmx.swap({ target: live, swap: "innerMorph", text, sourceElement: live });
  if (typed !== null && focused.isConnected) focused.value = typed;
  hideTips();
  if (document.activeElement.matches(".tg-bar")) showTip(document.activeElement);
  tellTimes(live, skewMs);
  if (whole) pulse(live);
  else {
    for (const [figure, value] of before) {
      if (figure.isConnected && figure.value !== value) pulse(figure);
    }
  }
};

// Fetches the parts of an address. What is asked for later wins.
const fetchParts = async (search, { held = "", whole = false } = {}) => {
  running?.abort();
  const mine = (running = new AbortController());
  try {
    const response = await fetchPart(live.dataset.parts + search, {
      headers: held ? { "If-None-Match": held } : {},
      signal: mine.signal,
      timeoutMs: 12_000,
    });
    if (!response) return;
    if (response.status === 403 || response.status === 404) {
      location.reload(); // no longer for this person
      return;
    }
    if (response.status === 304) return succeeded();
    if (response.status !== 200) return failed();
    const text = await response.text();
    if (mine.signal.aborted) return;
    tag = response.headers.get("etag") ?? "";
    await putInPlace(text, whole);
    succeeded();
  } catch {
    if (!mine.signal.aborted) failed();
  } finally {
    if (running === mine) running = null;
  }
};

const poll = () => {
  clearTimeout(nextPoll);
  nextPoll = setTimeout(poll, EVERY_MS);
  if (document.hidden || running || isBusy()) return;
  fetchParts(location.search, { held: tag });
};

// The state of every control is in the address.
const go = (url, { replace = false } = {}) => {
  const target = new URL(url, location.href);
  if (replace) history.replaceState(null, "", target);
  else if (target.href !== location.href) history.pushState(null, "", target);
  return fetchParts(target.search, { whole: true }).then(() => {
    if (target.hash) document.getElementById(target.hash.slice(1))?.scrollIntoView();
  });
};

live.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-part]");
  if (!link || !isPlainClick(event)) return;
  event.preventDefault();
  const href = link.getAttribute("href");
  link.closest("details[open]")?.removeAttribute("open");
  go(href);
});

live.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-part]")) return;
  event.preventDefault();
  event.stopPropagation(); // it may be sent again
  const picker = form.closest("details[open]");
  const typing = form.hasAttribute("data-find");
  go(addressOf(form), { replace: typing }).then(() => {
    if (picker && !live.querySelector(".tg-range [aria-invalid]")) picker.removeAttribute("open");
  });
});

let typingEnds = 0;
live.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-find]");
  if (!form) return;
  clearTimeout(typingEnds);
  typingEnds = setTimeout(() => form.requestSubmit(), TYPING_MS);
});

addEventListener("popstate", () => fetchParts(location.search, { whole: true }));

document.addEventListener("keydown", (event) => {
  if (!isPageKey(event)) return;
  if (event.target.matches(".tg-bar") && moveInChart(event)) event.preventDefault();
  else if (event.key === "Escape") hideTips();
  else if (event.key === "t") {
    const kind = live.querySelector("[data-chart-kind]");
    kind?.focus(); // what had the focus may go
    kind?.click();
  }
  if (event.key === "/") {
    const find = live.querySelector("#find");
    if (!find) return;
    event.preventDefault();
    find.focus();
  }
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isOlderThan(EVERY_MS)) poll();
});
document.addEventListener("tg:changed", (event) => {
  event.preventDefault(); // this page renews its parts by itself
  fetchParts(location.search);
});
onRetry(() => fetchParts(location.search));

watchCharts(live);
tellTimes(live, skewMs);
setInterval(() => tellTimes(live, skewMs), TICK_MS);
nextPoll = setTimeout(poll, EVERY_MS);

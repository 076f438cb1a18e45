// Team and My usage: their parts are fetched and put in place of the old ones, when a control is
// used and every 15 seconds while the page is looked at. Everything works without this file.

const EVERY_MS = 15_000;
const LATE_AFTER_MS = 40_000;
const TICK_MS = 5_000;
const TYPING_MS = 250;
const ACTIVE_MS = 3_600_000;

const live = document.getElementById("tg-live");
const note = document.querySelector("[data-live-note]");
const noteText = document.querySelector("[data-live-text]");
const stale = document.querySelector("[data-stale]");
const staleText = document.querySelector("[data-stale-text]");

const skewMs = Number(live.dataset.now) - Date.now(); // of this machine's clock

let tag = live.dataset.tag;
let updatedAt = Date.now(); // when the server last said that this is how things are
let failedSince = 0;
let running = null; // the request under way
let nextPoll = 0;

// Times: the server writes them once, here they go on.

const agoText = (at, now) => {
  const minutes = Math.max(0, Math.floor((now - at) / 60_000));
  const days = Math.floor(minutes / 1440);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (days < 1) return `${Math.floor(minutes / 60)} h ago`;
  if (days === 1) return "yesterday";
  return days <= 30 ? `${days} days ago` : "";
};

const setText = (element, text) => {
  if (text && element.textContent !== text) element.textContent = text;
};

const tellTimes = () => {
  const now = Date.now() + skewMs;
  for (const time of live.querySelectorAll("time[datetime]")) {
    const at = Date.parse(time.dateTime);
    setText(time, agoText(at, now));
    const exact = new Date(at).toLocaleString();
    if (!time.title.startsWith(exact)) time.title = `${exact}, here`;
    const activity = time.closest("[data-activity]");
    if (activity) activity.classList.toggle("tg-active", now - at < ACTIVE_MS);
  }
};

const tellFreshness = () => {
  const seconds = Math.round((Date.now() - updatedAt) / 1000);
  const late = failedSince > 0;
  const age = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  setText(noteText, late ? `Not updated for ${age}` : `Live · updated ${age} ago`);
  note.classList.toggle("tg-late", late);
  const shown = late && Date.now() - updatedAt > LATE_AFTER_MS;
  if (shown && !stale.classList.contains("tg-stale-shown")) {
    const since = new Date(updatedAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    staleText.textContent = `These are the numbers of ${since}: the server does not answer. Trying again.`;
  }
  if (!shown) staleText.textContent = "";
  stale.classList.toggle("tg-stale-shown", shown);
};

// The chart: one bar can be reached with Tab, the arrow keys lead to the others.

const barsOf = (chart) => [...chart.querySelectorAll(".tg-bar")];

const showTip = (bar) => {
  const chart = bar.closest("[data-chart]");
  const tip = chart.querySelector("[data-tip]");
  const [when, value, ...more] = bar.getAttribute("aria-label").split(" · ");
  const figure = document.createElement("strong");
  figure.textContent = value;
  const lines = [when, figure, more.join(" · ")].map((line) => {
    if (line instanceof Element) return line;
    const span = document.createElement("span");
    span.textContent = line;
    return span;
  });
  tip.replaceChildren(...lines);
  tip.classList.add("tg-tip-shown");
  const frame = chart.getBoundingClientRect();
  const slot = bar.querySelector(".tg-slot").getBoundingClientRect();
  const right = slot.right - frame.left + 8;
  const fits = right + tip.offsetWidth <= frame.width - 8;
  const left = slot.left - frame.left - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(8, fits ? right : left)}px`;
};

const hideTips = () => {
  for (const tip of live.querySelectorAll(".tg-tip-shown")) tip.classList.remove("tg-tip-shown");
};

const focusBar = (bars, index) => {
  const bar = bars[Math.max(0, Math.min(bars.length - 1, index))];
  for (const each of bars) each.setAttribute("tabindex", each === bar ? "0" : "-1");
  bar.focus();
};

const moveInChart = (event) => {
  const bar = event.target.closest(".tg-bar");
  const bars = barsOf(bar.closest("[data-chart]"));
  const at = bars.indexOf(bar);
  const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 };
  if (!(event.key in steps)) return false;
  focusBar(bars, steps[event.key]);
  return true;
};

live.addEventListener("pointerover", (event) => {
  const bar = event.target.closest(".tg-bar");
  if (bar) showTip(bar);
});
live.addEventListener("pointerout", (event) => {
  if (event.target.closest(".tg-bar")) hideTips();
});
live.addEventListener("focusin", (event) => {
  if (event.target.matches(".tg-bar")) showTip(event.target);
});
live.addEventListener("focusout", hideTips);

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
  tellTimes();
  if (whole) pulse(live);
  else {
    for (const [figure, value] of before) {
      if (figure.isConnected && figure.value !== value) pulse(figure);
    }
  }
};

const succeeded = () => {
  updatedAt = Date.now();
  failedSince = 0;
  tellFreshness();
};

const failed = () => {
  failedSince ||= Date.now();
  tellFreshness();
};

// Fetches the parts of an address. What is asked for later wins.
const fetchParts = async (search, { held = "", whole = false } = {}) => {
  running?.abort();
  const mine = (running = new AbortController());
  const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
  if (held) headers["If-None-Match"] = held;
  try {
    const response = await fetch(live.dataset.parts + search, {
      headers,
      cache: "no-store",
      signal: AbortSignal.any([mine.signal, AbortSignal.timeout(12_000)]),
    });
    if (response.headers.has("hx-redirect")) {
      location.assign(response.headers.get("hx-redirect"));
      return;
    }
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

const addressOf = (form) => {
  const fields = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(fields).toString();
  return query ? `${location.pathname}?${query}` : location.pathname;
};

live.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-part]");
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
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
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea") || event.target.closest("dialog")) return;
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
  if (!document.hidden && Date.now() - updatedAt > EVERY_MS) poll();
});
document.addEventListener("tg:changed", (event) => {
  event.preventDefault(); // this page renews its parts by itself
  fetchParts(location.search);
});
document.querySelector("[data-stale-retry]").addEventListener("click", () => fetchParts(location.search));

tellTimes();
tellFreshness();
setInterval(tellFreshness, 1000);
setInterval(tellTimes, TICK_MS);
nextPoll = setTimeout(poll, EVERY_MS);

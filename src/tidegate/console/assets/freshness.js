// Whether what the page shows is how things are, said in the sidebar and, if not, below.

import { setText } from "./times.js";

const LATE_AFTER_MS = 40_000;

const note = document.querySelector("[data-live-note]");
const noteText = document.querySelector("[data-live-text]");
const stale = document.querySelector("[data-stale]");
const staleText = document.querySelector("[data-stale-text]");

let updatedAt = Date.now(); // when the server last said that this is how things are
let failedSince = 0;

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

export const succeeded = () => {
  updatedAt = Date.now();
  failedSince = 0;
  tellFreshness();
};

export const failed = () => {
  failedSince ||= Date.now();
  tellFreshness();
};

export const isOlderThan = (ms) => Date.now() - updatedAt > ms;

export const onRetry = (retry) =>
  document.querySelector("[data-stale-retry]").addEventListener("click", retry);

tellFreshness();
setInterval(tellFreshness, 1000);

// The capture viewer: what is long or deep is fetched when it is asked for. Without this file the
// same links lead to pages.

import { fetchPart, isPlainClick } from "./page_parts.js";

const fetchText = async (url) => {
  const response = await fetchPart(url, { timeoutMs: 60_000 }); // bodies are long
  return response?.status === 200 ? response.text() : null;
};

const fragmentOf = (text) => {
  const template = document.createElement("template");
  template.innerHTML = text.trim();
  return template.content;
};

// What follows is put in the place of its link, and the focus goes on from there.
const putMore = async (link) => {
  const place = link.closest(".tg-rest");
  const around = place.parentElement;
  link.setAttribute("aria-busy", "true");
  const text = await fetchText(link.href).catch(() => null);
  if (text === null) return location.assign(link.href); // the page tells why
  const fragment = fragmentOf(text);
  const next = fragment.querySelector("[data-more], summary");
  place.replaceWith(fragment);
  if (!next) around.tabIndex = -1;
  (next ?? around).focus({ preventScroll: true });
};

const fill = async (details) => {
  const url = details.dataset.load;
  delete details.dataset.load;
  const text = await fetchText(url).catch(() => null);
  if (text === null) details.dataset.load = url; // its link still leads there
  else details.querySelector("ul").replaceChildren(fragmentOf(text));
};

// A body is fetched when it is copied: console.js copies what `data-copy` holds.
const fetchCopy = async (button) => {
  const text = await fetchText(button.dataset.copyUrl).catch(() => null);
  if (text === null) return;
  button.dataset.copy = text;
  button.click();
  delete button.dataset.copy;
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-more]");
  if (link && isPlainClick(event)) {
    event.preventDefault();
    if (!link.hasAttribute("aria-busy")) putMore(link);
  }
  const button = event.target.closest("[data-copy-url]");
  if (button && !("copy" in button.dataset)) fetchCopy(button);
});

document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.open && event.target.dataset.load) fill(event.target);
  },
  true,
);

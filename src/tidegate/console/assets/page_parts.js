// Parts of a page, fetched to be put in place of what is there.

let leaving = false; // the page goes elsewhere

addEventListener("pagehide", () => (leaving = true));
addEventListener("pageshow", () => (leaving = false)); // it may come back as it was

export const isLeaving = () => leaving;

// Undefined: it is not wanted any more, since the page goes elsewhere.
export const fetchPart = async (url, { signal, headers = {}, timeoutMs = 20_000 } = {}) => {
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, {
    headers: { "HX-Request": "true", "HX-Current-URL": location.href, ...headers },
    cache: "no-store",
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (!response.headers.has("hx-redirect")) return response;
  leaving = true;
  location.assign(response.headers.get("hx-redirect"));
  return undefined;
};

export const isPlainClick = (event) =>
  !event.defaultPrevented &&
  event.button === 0 &&
  !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

// A key for the page, not for a field or a dialog.
export const isPageKey = (event) =>
  !event.defaultPrevented &&
  !(event.ctrlKey || event.metaKey || event.altKey) &&
  !event.target.matches("input, select, textarea") &&
  !event.target.closest("dialog");

// Where a form leads, without its empty fields.
export const addressOf = (form) => {
  const fields = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(fields).toString();
  const path = form.getAttribute("action");
  return query ? `${path}?${query}` : path;
};

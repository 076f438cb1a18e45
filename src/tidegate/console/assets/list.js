// A list: fetched and put in place when a control is used. The state of every control is in the
// address. Everything works without this file.

import { keepPanelsInside, watchFilters } from "./filter_menus.js";
import { fetchPart, isPageKey, isPlainClick } from "./page_parts.js";
import { tellTimes } from "./times.js";

// The filters and the range, wherever in the list one is.
export const filters = (more = {}) => {
  const query = new URLSearchParams(location.search);
  query.delete("at");
  query.delete("open");
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  const text = query.toString();
  return text ? `?${text}` : "";
};

// `path` is the page's address, `id` the list's within `root`. What a page does besides:
// `begins` before the list is fetched, `settled` once it is in place, `opens` the link of a row that
// is clicked, `pressed` says whether it took a key.
export const watchList = (
  root,
  { path, id, succeeded, failed, opens, begins = () => {}, settled = () => {}, pressed = () => false },
) => {
  const skewMs = Number(root.dataset.now) - Date.now(); // of this machine's clock
  let running = null; // the request under way

  const list = () => document.getElementById(id);
  const tellTimesIn = (element) => tellTimes(element, skewMs);

  // Rows: one can be reached with Tab, the arrow keys lead to the others.

  const rowLinks = () => [...root.querySelectorAll("a[data-row]")];

  const reachRow = (chosen) => {
    for (const link of rowLinks()) link.tabIndex = link === chosen ? 0 : -1;
  };

  const reachOneRow = () => {
    const links = rowLinks();
    reachRow(links.find((link) => link.hasAttribute("aria-current")) ?? links[0]);
  };

  const focusRow = (link) => {
    reachRow(link);
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

  // Putting the list in place.

  const settle = () => {
    keepPanelsInside(root);
    reachOneRow();
    tellTimesIn(root);
    settled();
  };

  // What is asked for later wins.
  const fetchList = async (search = location.search) => {
    running?.abort();
    begins();
    const mine = (running = new AbortController());
    list()?.setAttribute("aria-busy", "true");
    try {
      const response = await fetchPart(`${path}/parts${search}`, { signal: mine.signal });
      if (!response) return;
      if (response.status === 403 || response.status === 404) return location.reload();
      if (response.status !== 200) return failed();
      const text = await response.text();
      if (mine.signal.aborted) return;
      await htmx.swap({ target: root, swap: "innerMorph", text, sourceElement: root });
      settle();
      succeeded();
    } catch {
      if (!mine.signal.aborted) failed();
    } finally {
      if (running === mine) running = null;
      list()?.removeAttribute("aria-busy");
    }
  };

  const go = (url) => {
    const target = new URL(url, location.href);
    if (target.href !== location.href) history.pushState(null, "", target);
    return fetchList(target.search);
  };

  const fetchChoices = async (name) => {
    const response = await fetchPart(`${path}/choices${filters({ of: name })}`);
    return response?.status === 200 ? response.text() : undefined;
  };

  root.addEventListener("click", (event) => {
    if (!isPlainClick(event)) return;
    const link = event.target.closest("a");
    const row = event.target.closest("tr")?.querySelector("a[data-row]");
    if (link?.matches("[data-part]")) {
      event.preventDefault();
      link.closest("details[open]")?.removeAttribute("open");
      go(link.getAttribute("href"));
    } else if (link?.matches("[download]")) {
      link.closest("details").open = false;
    } else if (!link && row && getSelection().isCollapsed) {
      opens(row);
    }
  });

  document.addEventListener("keydown", (event) => {
    if (!isPageKey(event)) return;
    if (pressed(event) || moveInRows(event)) event.preventDefault();
    else if (event.key === "/") {
      event.preventDefault();
      document.getElementById("find").focus();
    }
  });

  addEventListener("popstate", () => fetchList());
  watchFilters(root, { go, fetchChoices });

  return { fetchList, focusRow, isFetching: () => running !== null, reachOneRow, rowLinks, settle, tellTimesIn };
};

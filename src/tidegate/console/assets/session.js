// One session: the timeline can be walked with the arrow keys.

import { hideTips, moveInChart, watchCharts } from "./chart_tips.js";

const session = document.getElementById("tg-session");

session.querySelector(".tg-timeline .tg-bar")?.setAttribute("tabindex", "0");
watchCharts(session);

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") hideTips();
  else if (event.target.matches(".tg-bar") && moveInChart(event)) event.preventDefault();
});

session.addEventListener("click", (event) => {
  const link = event.target.closest("a[download]");
  if (link) link.closest("details").open = false;
});

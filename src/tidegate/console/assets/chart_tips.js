// The chart: one bar can be reached with Tab, the arrow keys lead to the others.

const barsOf = (chart) => [...chart.querySelectorAll(".tg-bar")];

export const showTip = (bar) => {
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

export const hideTips = () => {
  for (const tip of document.querySelectorAll(".tg-tip-shown")) tip.classList.remove("tg-tip-shown");
};

const focusBar = (bars, index) => {
  const bar = bars[Math.max(0, Math.min(bars.length - 1, index))];
  for (const each of bars) each.setAttribute("tabindex", each === bar ? "0" : "-1");
  bar.focus();
};

export const moveInChart = (event) => {
  const bar = event.target.closest(".tg-bar");
  const bars = barsOf(bar.closest("[data-chart]"));
  const at = bars.indexOf(bar);
  const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 };
  if (!(event.key in steps)) return false;
  focusBar(bars, steps[event.key]);
  return true;
};

export const watchCharts = (root) => {
  root.addEventListener("pointerover", (event) => {
    const bar = event.target.closest(".tg-bar");
    if (bar) showTip(bar);
  });
  root.addEventListener("pointerout", (event) => {
    if (event.target.closest(".tg-bar")) hideTips();
  });
  root.addEventListener("focusin", (event) => {
    if (event.target.matches(".tg-bar")) showTip(event.target);
  });
  root.addEventListener("focusout", hideTips);
};

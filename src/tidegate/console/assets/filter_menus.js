// Menus of filters: a menu is applied by its button, and when it closes.

import { addressOf } from "./page_parts.js";

const LONG_LIST = 8;

// A menu near the right edge opens to the left.
const keepInside = (panel) => {
  panel.classList.remove("tg-to-left");
  panel.classList.toggle("tg-to-left", panel.getBoundingClientRect().right > innerWidth - 8);
};

const panelsInView = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) if (contentRect.width) keepInside(target);
});

export const keepPanelsInside = (root) => {
  for (const panel of root.querySelectorAll(".tg-filter-panel")) panelsInView.observe(panel);
};

const addFinder = (fieldset) => {
  const options = [...fieldset.querySelectorAll("label")];
  if (options.length <= LONG_LIST || fieldset.querySelector("[type=search]")) return;
  const finder = document.createElement("input");
  Object.assign(finder, { type: "search", className: "input", placeholder: "Find" });
  finder.setAttribute("aria-label", `Find in ${fieldset.querySelector("legend").textContent}`);
  finder.addEventListener("input", () => {
    const wanted = finder.value.trim().toLocaleLowerCase();
    for (const option of options) {
      option.hidden = !option.textContent.toLocaleLowerCase().includes(wanted);
    }
  });
  finder.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  finder.addEventListener("change", (event) => event.stopPropagation());
  fieldset.querySelector("legend").after(finder);
};

// `go(url)` shows another state; `fetchChoices(name)` gives the values of a filter as a part of
// the page, or nothing.
export const watchFilters = (root, { go, fetchChoices }) => {
  const applyMenu = (form) => {
    delete form.dataset.changed;
    form.closest("details")?.removeAttribute("open");
    return go(addressOf(form));
  };

  const loadChoices = async (place) => {
    const text = await fetchChoices(place.dataset.choices).catch(() => undefined); // it can be typed
    if (!text || place.closest("form").dataset.changed) return; // an old one was chosen meanwhile
    place.innerHTML = text;
    place.querySelectorAll("fieldset").forEach(addFinder);
  };

  root.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-part]")) return;
    event.preventDefault();
    event.stopPropagation(); // it may be sent again
    const picker = event.target.closest(".tg-range");
    if (!picker) return applyMenu(event.target);
    go(addressOf(event.target)).then(() => {
      if (!root.querySelector(".tg-range [aria-invalid]")) picker.removeAttribute("open");
    });
  });

  root.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-filter]");
    if (form) form.dataset.changed = "yes";
  });

  root.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target;
      if (!menu.matches(".tg-filter")) return;
      const form = menu.querySelector("form");
      if (!menu.open) {
        if (form.dataset.changed) applyMenu(form);
        return;
      }
      form.querySelectorAll("fieldset").forEach(addFinder);
      form.querySelectorAll("[data-choices]").forEach(loadChoices);
    },
    true,
  );
};

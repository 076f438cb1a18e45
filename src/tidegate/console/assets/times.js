// Times: the server writes them once, here they go on.

const ACTIVE_MS = 3_600_000;

const agoText = (at, now) => {
  const minutes = Math.max(0, Math.floor((now - at) / 60_000));
  const days = Math.floor(minutes / 1440);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (days < 1) return `${Math.floor(minutes / 60)} h ago`;
  if (days === 1) return "yesterday";
  return days <= 30 ? `${days} days ago` : "";
};

export const setText = (element, text) => {
  if (text && element.textContent !== text) element.textContent = text;
};

// `skewMs`: by how much the clock of the server is ahead of this machine's.
export const tellTimes = (root, skewMs) => {
  const now = Date.now() + skewMs;
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = Date.parse(time.dateTime);
    if (!("clock" in time.dataset)) setText(time, agoText(at, now));
    const exact = new Date(at).toLocaleString();
    if (!time.title.startsWith(exact)) time.title = `${exact}, here`;
    const activity = time.closest("[data-activity]");
    if (activity) activity.classList.toggle("tg-active", now - at < ACTIVE_MS);
  }
};

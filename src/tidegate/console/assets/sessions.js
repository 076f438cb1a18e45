// The list of sessions.

import { watchList } from "./list.js";

const failed = () =>
  document.body.dispatchEvent(
    new CustomEvent("tg:toast", {
      bubbles: true,
      detail: { text: "The list could not be read. Try again in a moment.", failed: true },
    }),
  );

watchList(document.getElementById("tg-sessions"), {
  path: "/sessions",
  id: "session-list",
  succeeded: () => {},
  failed,
  opens: (link) => location.assign(link.href),
}).settle();

// On every page: what is marked as live is fetched again, and what cannot be undone is asked twice.
"use strict";
(() => {
  const REFRESH = 30_000; // ms between two looks
  const PATIENCE = 10_000; // ms a look may take
  const LIVE = '[data-live=""]';

  document.addEventListener("submit", (event) => {
    const asked = event.target.hasAttribute("data-sure");
    if (asked && !window.confirm(document.body.dataset.sure)) event.preventDefault();
  });

  // A secret is the answer to a form: to load the page again shall not send the form again.
  const shown = document.querySelector("[data-at]");
  if (shown !== null) history.replaceState(null, "", shown.dataset.at);

  if (document.querySelector(LIVE) === null) return;

  // The page itself is fetched again; its live parts take the place of the old ones.
  async function look() {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.redirected) return location.reload(); // the session has ended: to the login page
    if (!answer.ok) throw new Error(`${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll(LIVE)) {
      const part = fresh.getElementById(old.id);
      if (part === null || old.contains(document.activeElement)) continue;
      const open = [...old.querySelectorAll("details")].map((each) => each.open);
      [...part.querySelectorAll("details")].forEach((each, n) => (each.open = open[n] ?? each.open));
      old.replaceWith(document.adoptNode(part));
    }
  }

  let timer = 0;
  async function again() {
    clearTimeout(timer);
    try {
      if (document.visibilityState === "visible") await look();
    } catch (error) {
      console.warn(error); // what is shown stays; it has its time beside it
    }
    clearTimeout(timer);
    timer = setTimeout(again, REFRESH);
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") again();
  });
  timer = setTimeout(again, REFRESH);
})();

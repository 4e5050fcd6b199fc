// What is open is brought up to date every half minute; forms below it are left alone.
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live || !live.dataset.live) return;
  const again = async () => {
    try {
      const answer = await fetch("/alerts", { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh) live.replaceChildren(...fresh.childNodes);
    } catch {
      return; // the server does not answer now; it is asked again
    }
  };
  setInterval(() => { if (!document.hidden) again(); }, 30000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) again(); });
})();

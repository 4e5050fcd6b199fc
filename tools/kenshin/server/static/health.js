// The page of one gateway: how strong the radio was.
"use strict";
(() => {
  const PATIENCE = 10_000; // ms a look may take
  const REFRESH = 300_000; // ms: a point comes every five minutes
  const words = JSON.parse(document.getElementById("words").textContent);
  const language = document.documentElement.lang;
  const $ = (id) => document.getElementById(id);
  const { code, zone, days } = $("rssi").dataset;
  const formatted = (options) => {
    const format = new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: "h23", ...options });
    return (t) => format.format(new Date(t * 1000));
  };
  const dayOf = formatted({ month: "numeric", day: "numeric" });
  const clock = formatted({ hour: "2-digit", minute: "2-digit" });
  const dbm = (_, value) => (value == null ? "–" : `${value} dBm`.replace("-", "\u2212"));

  // A value alone between two gaps has no line: it gets a dot.
  function alone(u, series, show) {
    if (show) return null;
    const values = u.data[series];
    return values.flatMap((value, i) =>
      value != null && values[i - 1] == null && values[i + 1] == null ? [i] : []);
  }

  let chart = null;
  let last = null;

  function draw(found) {
    last = found;
    const nothing = !found.rssi.some((value) => value !== null) && !found.net_rssi.some((value) => value !== null);
    $("nohealth").hidden = !nothing;
    $("rssi").hidden = nothing;
    if (chart !== null) chart.destroy();
    chart = null;
    if (nothing) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--quiet"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { stroke: colour("--rule"), width: 1 },
    };
    const line = (label, name) => ({
      label, stroke: colour(name), width: 1.5, spanGaps: false, value: dbm,
      points: { size: 6, fill: colour(name), filter: alone },
    });
    const end = Date.now() / 1000;
    chart = new uPlot({
      width: $("rssi").clientWidth,
      height: window.innerWidth < 560 ? 200 : 240,
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), zone),
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { range: () => [end - days * 86400, end] },
        y: { range: (_, low, high) => [Math.min(-95, (low ?? -95) - 2), Math.max(-50, (high ?? -50) + 2)] },
      },
      axes: [
        { ...axis, space: 40, incrs: [86400, 172800], values: (_, splits) => splits.map(dayOf) },
        { ...axis, size: 48, values: (_, splits) => splits.map((v) => `${v}`.replace("-", "\u2212")) },
      ],
      series: [
        { label: words.time, value: (_, t) => (t == null ? "–" : `${dayOf(t)} ${clock(t)}`) },
        line(words.rssi_meter, "--accent"),
        line(words.rssi_net, "--sold"),
      ],
    }, [found.t, found.rssi, found.net_rssi], $("rssi"));
  }

  async function look() {
    try {
      const answer = await fetch(`/api/v1/gateways/${encodeURIComponent(code)}/health?days=${days}`, {
        headers: { Accept: "application/json" },
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.status === 401) location.reload(); // the session has ended: to the login page
      if (!answer.ok) throw new Error(`${answer.status}`);
      draw(await answer.json());
    } catch (error) {
      console.warn(error); // what is shown stays
    }
    setTimeout(look, REFRESH);
  }
  new ResizeObserver(() => {
    if (chart !== null && $("rssi").clientWidth !== chart.width) draw(last);
  }).observe($("rssi"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (last !== null) draw(last);
  });
  look();
})();

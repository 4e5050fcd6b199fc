// The page of energy: bars of a day, a month or a year; used upwards, sold downwards.
"use strict";
(() => {
  const REFRESH = 60_000; // ms between two looks
  const PATIENCE = 10_000; // ms a look may take
  const TENTHS = 10_000; // of a Wh, in a kWh

  const words = JSON.parse(document.getElementById("words").textContent);
  const language = document.documentElement.lang;
  const $ = (id) => document.getElementById(id);
  const { api, period, on, zone } = $("energy").dataset;
  const format = (options) =>
    new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: "h23", ...options });
  const FORMATS = {
    day: [{ hour: "2-digit", minute: "2-digit" }, { dateStyle: "full" }],
    month: [{ day: "numeric" }, { year: "numeric", month: "long" }],
    year: [{ month: "short" }, { year: "numeric" }],
  };
  const [tick, whole] = FORMATS[period].map(format);
  const at = (formatter, t) => formatter.format(new Date(t * 1000));
  const kwh = (value) => (value == null ? "–" : `${Math.abs(value).toLocaleString(language)} kWh`);

  // An exact decimal stays text: "1234.5678" -> "1,234.5678".
  const grouped = (decimal) => decimal.replace(/^\d+/, (whole) => Number(whole).toLocaleString("en"));

  let chart = null;

  // Whether a bar is over and was not measured from end to end.
  const unknown = (found, n) =>
    (found.normal[n] === null || found.partial[n]) &&
    (found.t[n + 1] ?? found.end) * 1000 <= Date.now();

  function draw(found) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--quiet"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { stroke: colour("--rule"), width: 1 },
    };
    const scaled = (values, sign) =>
      values.map((value) => (value == null ? null : (sign * value) / TENTHS));
    // By place, not by time: days and months are not all of one length.
    const places = found.t.map((_, n) => n);
    const data = [places, scaled(found.normal, 1), scaled(found.reverse, -1)];
    const bars = uPlot.paths.bars({ size: [0.8, 60] });
    const series = (label, name) => ({
      label, stroke: colour(name), fill: colour(name), paths: bars, points: { show: false },
      value: (_, value) => kwh(value),
    });
    // What was not measured is shaded: a gap is no zero, and half a month no month.
    const missing = (u) => {
      u.ctx.fillStyle = colour("--rule");
      found.t.forEach((t, n) => {
        if (!unknown(found, n)) return;
        const [left, right] = [n - 0.5, n + 0.5].map((x) => Math.round(u.valToPos(x, "x", true)));
        u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
      });
    };
    // Another meter: a line at the bar within which it was told.
    const changed = (u) => {
      u.ctx.save();
      u.ctx.strokeStyle = colour("--warn");
      u.ctx.lineWidth = 2 * devicePixelRatio;
      u.ctx.setLineDash([6, 4].map((n) => n * devicePixelRatio));
      for (const { t } of found.meters) {
        const n = found.t.findLastIndex((begin) => begin <= t);
        const x = Math.round(u.valToPos(n, "x", true));
        u.ctx.beginPath();
        u.ctx.moveTo(x, u.bbox.top);
        u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
        u.ctx.stroke();
      }
      u.ctx.restore();
    };
    const name = (n) => (found.t[n] === undefined ? "" : at(tick, found.t[n]));
    if (chart !== null) chart.destroy();
    chart = new uPlot({
      width: $("bars").clientWidth,
      height: window.innerWidth < 560 ? 240 : 320,
      cursor: { y: false, drag: { x: false, y: false } },
      hooks: { drawClear: [missing], draw: [changed] },
      scales: {
        x: { time: false, range: () => [-0.6, found.t.length - 0.4] },
        y: { range: (_, low, high) => [Math.min(0, low ?? 0) * 1.08, Math.max(0.1, high ?? 0) * 1.08] },
      },
      axes: [
        { ...axis, incrs: [1, 2, 4, 8, 12], values: (_, splits) => splits.map(name) },
        { ...axis, size: 56, values: (_, splits) => splits.map((v) => Math.abs(v).toLocaleString(language)) },
      ],
      series: [
        { label: words.time, value: (_, n) => (n == null ? "–" : name(n)) },
        series(words.used, "--accent"),
        series(words.sold, "--sold"),
      ],
    }, data, $("bars"));
  }

  function show(found) {
    $("span").textContent = at(whole, found.start);
    $("previous").href = `?period=${period}&on=${found.previous}`;
    $("next").href = `?period=${period}&on=${found.next}`;
    $("next").hidden = found.end * 1000 > Date.now();
    $("total-normal").textContent = grouped(found.total_normal ?? "–");
    $("total-reverse").textContent = grouped(found.total_reverse ?? "–");
    $("partial").hidden = !found.total_partial && !found.t.some((_, n) => unknown(found, n));
    draw(found);
  }

  let last = null;
  async function look() {
    const query = new URLSearchParams({ period, ...(on ? { on } : {}) });
    try {
      const answer = await fetch(`${api}?${query}`, {
        headers: { Accept: "application/json" },
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.status === 401) location.reload(); // the session has ended: to the login page
      if (!answer.ok) throw new Error(`${answer.status}`);
      last = await answer.json();
      show(last);
      $("offline").hidden = true;
    } catch (error) {
      console.warn(error);
      $("offline").hidden = false;
    }
    setTimeout(look, REFRESH);
  }
  new ResizeObserver(() => {
    if (last !== null && chart !== null && $("bars").clientWidth !== chart.width) draw(last);
  }).observe($("bars"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (last !== null) draw(last);
  });
  look();
})();

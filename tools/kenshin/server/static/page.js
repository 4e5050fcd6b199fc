// The page: fetches one gateway's newest values and its plot, and fetches them again.
"use strict";
(() => {
  const REFRESH = 10_000; // ms between two looks
  const TODAY = 60_000; // ms between two looks at the sums of the day
  const PATIENCE = 8_000; // ms a look may take
  const SILENT = 15 * 60; // s without an upload after which a gateway counts as down
  const OLD = { power: 300, current_r: 300, current_t: 300, normal: 3600, reverse: 3600 }; // s
  const TABS = 12; // gateways that have a tab; more are found in the list
  const HOURS = 6;

  const words = JSON.parse(document.getElementById("words").textContent);
  const language = document.documentElement.lang;
  const $ = (id) => document.getElementById(id);
  const text = (key, values = {}) =>
    words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // Bills and days follow the gateway's time zone.
  let zone = "Asia/Tokyo";
  const zoned = (options) => {
    const formats = {};
    return (t) => {
      formats[zone] ??= new Intl.DateTimeFormat(
        language, { timeZone: zone, hourCycle: "h23", ...options });
      return formats[zone].format(new Date(t * 1000));
    };
  };
  const dayOf = zoned({ year: "numeric", month: "2-digit", day: "2-digit" });
  const monthDay = zoned({ month: "numeric", day: "numeric" });
  const clock = zoned({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const hourMinute = zoned({ hour: "2-digit", minute: "2-digit" });
  const moment = (format, t) => format(t);
  const when = (t, now) =>
    moment(dayOf, t) === moment(dayOf, now)
      ? moment(clock, t)
      : `${moment(monthDay, t)} ${moment(clock, t)}`;

  // Exact decimals stay text: "1234567.8" -> "1,234,567.8"; a real minus sign.
  const grouped = (decimal) => {
    const [whole, part] = decimal.replace("-", "\u2212").split(".");
    const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
    return part === undefined ? digits : `${digits}.${part}`;
  };

  const ago = (seconds) => {
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
      if (seconds >= 2 * size) return text(unit, { n: Math.floor(seconds / size) });
    return text("second", { n: Math.max(0, seconds) });
  };

  const look = async (path) => {
    const answer = await fetch(path, {
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (answer.status === 401) location.reload(); // the session has ended: to the login page
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };

  // ---- the newest values ----

  const UNITS = { power: "W", current_r: "A", current_t: "A", normal: "kWh", reverse: "kWh" };

  function showValues(gateway) {
    for (const box of document.querySelectorAll("#values > [data-field]")) {
      const field = box.dataset.field;
      const newest = gateway.newest[field];
      const place = box.querySelector("dd");
      const number = document.createElement("b");
      const note = document.createElement("small");
      note.className = "at";
      place.replaceChildren(number);
      if (newest === undefined) {
        number.textContent = "–";
        note.textContent = text("unmeasured");
      } else {
        number.textContent = grouped(newest.text);
        const unit = document.createElement("small");
        unit.textContent = ` ${UNITS[field]}`;
        place.append(unit);
        const exporting = field === "power" && newest.value < 0;
        note.textContent =
          (exporting ? `${text("exporting")} · ` : "") + when(newest.t, gateway.now);
      }
      place.append(note);
      if (newest !== undefined && UNITS[field] === "A" && gateway.contract !== null)
        place.append(...against(newest, gateway.contract));
      place.classList.toggle(
        "old", newest === undefined || gateway.now - newest.t > OLD[field]);
    }
  }

  // A phase's amperes against the contract's.
  function against(newest, contract) {
    const meter = document.createElement("meter");
    const amperes = Math.abs(newest.value) / 10;
    Object.assign(meter, { min: 0, max: contract, low: 0.6 * contract, high: 0.9 * contract });
    Object.assign(meter, { optimum: 0, value: amperes });
    const note = document.createElement("small");
    note.textContent = text("of_contract", { n: amperes, all: contract });
    return [meter, note];
  }

  const TENTHS = 10_000; // of a Wh, in a kWh
  const kwh = (value) => {
    const digits = Math.abs(value) < 10 * TENTHS ? 2 : 1;
    return value === null ? "–" : (value / TENTHS).toLocaleString(language, { maximumFractionDigits: digits });
  };

  function showToday(found) {
    const { today, yesterday } = found;
    $("today").textContent = kwh(today.normal);
    $("yesterday").textContent = kwh(yesterday.normal);
    const notes = [];
    if (today.normal !== null && yesterday.normal !== null) {
      const more = today.normal - yesterday.normal;
      const n = kwh(Math.abs(more));
      if (n !== "0") notes.push(text(more < 0 ? "less_than" : "more_than", { n }));
    }
    if (today.reverse) notes.push(text("sold_today", { n: kwh(today.reverse) }));
    if (today.partial) notes.push(words.partial_short);
    $("today-note").textContent = notes.join(" · ");
    const before = [];
    if (yesterday.reverse) before.push(text("sold_today", { n: kwh(yesterday.reverse) }));
    if (yesterday.partial) before.push(words.partial_short);
    $("yesterday-note").textContent = before.join(" · ");
  }

  function stateOf(gateway) {
    if (gateway.last_seen === null) return ["", text("waiting"), text("howto")];
    const age = gateway.now - gateway.last_seen;
    if (age > SILENT) return ["bad", text("silent", { ago: ago(age) }), text("silentwhy")];
    const status = gateway.status ?? {};
    if (!status.word) return ["good", text("well"), ""];
    const reasons = words.reasons[status.word] ?? {};
    const what = words.words[status.word];
    const [headline, advice] = reasons[status.code] ?? [what, ""];
    return ["warn", headline, [advice, status.detail].filter(Boolean).join(" ")];
  }

  function showState(gateway) {
    const [light, word, detail] = stateOf(gateway);
    $("light").className = light;
    $("word").textContent = word;
    $("detail").textContent = detail;
    const status = gateway.status ?? {};
    const facts = [status.word, status.code].filter(Boolean);
    if (gateway.last_seen !== null)
      facts.push(text("seen", { ago: ago(gateway.now - gateway.last_seen) }));
    if (status.rssi != null) facts.push(text("rssi", { n: grouped(String(status.rssi)) }));
    if (status.queue) facts.push(text("queue", { n: status.queue }));
    if (status.fw) facts.push(text("firmware", { version: status.fw }));
    $("seen").textContent = facts.join(" · ");
    const notes = [];
    if (gateway.conflicts) notes.push(text("conflicts", { n: gateway.conflicts }));
    if (gateway.rejected) {
      const newest = gateway.rejections[0];
      notes.push(text("rejected", { n: gateway.rejected, why: newest ? newest.why : "?" }));
    }
    $("notes").textContent = notes.join(" ");
  }

  // ---- the plot ----

  let chart = null;
  let span = { start: 0, end: 1 };

  function colours() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(name).trim();
  }

  // A value alone between two gaps has no line: it gets a dot.
  function alone(u, series, show) {
    const values = u.data[series];
    const found = [];
    if (!show)
      for (let i = 0; i < values.length; i++)
        if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
    return show ? null : found;
  }

  function newChart(data) {
    const colour = colours();
    const axis = {
      stroke: colour("--quiet"),
      grid: { stroke: colour("--rule"), width: 1 },
      ticks: { stroke: colour("--rule"), width: 1 },
    };
    return new uPlot({
      class: "idle",
      width: $("plot").clientWidth,
      height: plotHeight(),
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), zone),
      cursor: { y: false, drag: { x: false, y: false } },
      hooks: { setCursor: [(u) => u.root.classList.toggle("idle", u.cursor.idx == null)] },
      scales: {
        x: { range: () => [span.start, span.end] },
        y: { range: (_, low, high) => [Math.min(0, low ?? 0) * 1.08, Math.max(100, high ?? 0) * 1.08] },
      },
      axes: [
        { ...axis, values: (_, splits) => splits.map((t) => moment(hourMinute, t)) },
        { ...axis, size: 56, values: (_, splits) => splits.map((w) => grouped(String(w))) },
      ],
      series: [
        { label: text("time"), value: (_, t) => (t == null ? "–" : moment(clock, t)) },
        {
          label: text("power"),
          stroke: colour("--accent"),
          fill: colour("--fill"),
          width: 1.5,
          spanGaps: false,
          points: { size: 4, filter: alone },
          value: (_, w) => (w == null ? "–" : `${grouped(String(w))} W`),
        },
      ],
    }, data, $("plot"));
  }

  const plotHeight = () => (window.innerWidth < 560 ? 220 : 300);

  function showPlot(plot) {
    const nothing = plot.t.length === 0;
    $("noplot").hidden = !nothing;
    $("plot").hidden = nothing;
    if (nothing) return;
    span = { start: plot.start, end: plot.end };
    const data = [plot.t, plot.power];
    if (chart === null) chart = newChart(data);
    else chart.setData(data);
  }

  new ResizeObserver(() => {
    const width = $("plot").clientWidth;
    if (chart !== null && width > 0 && width !== chart.width)
      chart.setSize({ width, height: plotHeight() });
  }).observe($("plot"));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (chart === null) return;
    const data = chart.data;
    chart.destroy();
    chart = newChart(data);
  });

  // ---- which gateway, and again and again ----

  function showTabs(gateways, chosen) {
    $("gateways").hidden = gateways.length < 2 || gateways.length > TABS;
    $("many").hidden = gateways.length <= TABS;
    $("name").textContent = chosen.name;
    gateways.sort((a, b) => a.name.localeCompare(b.name, language));
    $("gateways").replaceChildren(...gateways.map((gateway) => {
      const link = document.createElement("a");
      link.href = `?gateway=${encodeURIComponent(gateway.code)}`;
      link.textContent = gateway.name;
      if (gateway.code === chosen.code) link.setAttribute("aria-current", "page");
      return link;
    }));
  }

  let looked = 0; // when the sums of the day were last asked for
  async function refresh() {
    const { gateways } = await look(`/api/v1/gateways?limit=${TABS + 1}`);
    const pathOf = (code) => `/api/v1/gateways/${encodeURIComponent(code)}`;
    const wished = new URLSearchParams(location.search).get("gateway");
    const first = gateways.length ? pathOf(gateways[0].code) : null;
    let gateway = wished === null ? null : await look(pathOf(wished));
    if (gateway === null && first !== null) gateway = await look(first);
    $("empty").hidden = gateway !== null;
    $("gateway").hidden = gateway === null;
    if (gateway === null) return;
    const path = pathOf(gateway.code);
    zone = gateway.zone;
    document.title = `${gateway.name} – Kenshin`;
    $("how").href = `/gateways/${encodeURIComponent(gateway.code)}`;
    $("bars").href = `/energy/${encodeURIComponent(gateway.code)}?period=day`;
    $("json").href = `${path}/readings`;
    showTabs(gateways, gateway);
    showState(gateway);
    showValues(gateway);
    showPlot(await look(`${path}/plot?hours=${HOURS}`));
    if (Date.now() - looked < TODAY) return;
    showToday(await look(`${path}/today`));
    looked = Date.now();
  }

  let timer = 0;
  async function again() {
    clearTimeout(timer);
    try {
      await refresh();
      $("offline").hidden = true;
    } catch (error) {
      // What is shown stays, and the page says that it is not news.
      console.warn(error);
      $("offline").hidden = false;
    }
    clearTimeout(timer);
    if (document.visibilityState === "visible") timer = setTimeout(again, REFRESH);
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") again();
  });
  again();
})();

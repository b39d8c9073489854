// Charts and tables of what a unit said. They need uPlot, which is loaded with the first of them.
import { element, setText, setHidden, moment, span, number } from "./text.js";

const ranges = [
  ["hour", "1 hour", 3600],
  ["6hours", "6 hours", 6 * 3600],
  ["day", "1 day", 86400],
  ["week", "1 week", 7 * 86400],
  ["month", "1 month", 31 * 86400],
  ["year", "1 year", 366 * 86400],
  ["2years", "2 years", 731 * 86400],
];

const kinds = [
  { name: "Load", unit: "%", lines: [["output.load", "Load"]], zero: true },
  { name: "Power", unit: "W", lines: [["output.power", "Power"]], zero: true },
  { name: "Charge", unit: "%", lines: [["health", "Charge"]], zero: true, top: 100 },
  { name: "Run time", unit: "min", lines: [["time to empty", "Run time"]], zero: true, scale: 1 / 60 },
  { name: "Voltage", unit: "V", lines: [["input.voltage", "Input"], ["output.voltage", "Output"]] },
  { name: "Battery voltage", unit: "V", lines: [["battery.voltage", "Battery"]] },
];

const at = (id) => document.getElementById(id);
let shown = null; // { unit, span, name }
let timer = 0;
let asking = null; // aborts what is under way
let charts = [];
let outages = [];
let older = []; // events that were asked for by the button, after the newest ones

// show shows the history of a unit over a range, and keeps it up to date.
export function show(unit, range) {
  const [name, , seconds] = ranges.find(([name]) => name === range) || ranges[2];
  if (shown && shown.unit === unit && shown.name === name) return;
  if (!shown || shown.unit !== unit) older = [];
  shown = { unit, name, span: seconds };
  at("ranges").replaceChildren(...ranges.map(([name, label]) => {
    const link = element("a", { href: "?" + new URLSearchParams({ unit, range: name }) }, label);
    if (name === shown.name) link.setAttribute("aria-current", "true");
    return link;
  }));
  refresh();
}

export function hide() {
  shown = null;
  clearTimeout(timer);
  if (asking) asking.abort();
  clear();
}

// soon asks again in a while: something has happened.
export function soon() {
  if (!shown) return;
  clearTimeout(timer);
  timer = setTimeout(refresh, 5000);
}

function clear() {
  for (const chart of charts) chart.destroy();
  charts = [];
  at("charts").replaceChildren();
  at("tables").replaceChildren();
}

async function get(path, parameters) {
  const response = await fetch("api/v1/" + path + "?" + new URLSearchParams(parameters), {
    signal: asking.signal,
  });
  const said = await response.json();
  if (!response.ok) throw new Error(said.error);
  return said;
}

async function refresh() {
  clearTimeout(timer);
  if (asking) asking.abort();
  asking = new AbortController();
  const { unit, span: seconds } = shown;
  const mine = asking;
  const to = Math.floor(Date.now() / 1000);
  const range = { unit, from: to - seconds, to };
  try {
    const [readings, events, found] = await Promise.all([
      get("history", { ...range, points: 360 }),
      get("events", { unit, limit: 50 }),
      get("outages", range),
      script(),
    ]);
    if (mine !== asking || !shown) return;
    setHidden(at("history-notice"), true);
    outages = found.outages;
    draw(readings.series, range);
    tables(readings.series, range, events.events);
  } catch (problem) {
    if (problem.name === "AbortError" || mine !== asking) return;
    clear();
    setText(at("history-notice"), problem.message || "The history cannot be had.");
    setHidden(at("history-notice"), false);
  }
  // A page in the background needs no charts.
  const next = Math.min(60, Math.max(10, seconds / 360)) * 1000;
  timer = setTimeout(function again() {
    if (document.hidden) timer = setTimeout(again, next);
    else refresh();
  }, next);
}

// script loads uPlot once.
let loaded = null;
function script() {
  loaded = loaded || new Promise((done, failed) => {
    const uplot = element("script", { src: "uPlot.iife.min.js" });
    uplot.onload = done;
    uplot.onerror = () => {
      loaded = null;
      failed(new Error("The charts cannot be loaded."));
    };
    document.head.append(uplot);
  });
  return loaded;
}

// columns returns times and values of a series, with a hole where there were no readings.
function columns(points, scale) {
  const gaps = points.slice(1).map((p, i) => p[0] - points[i][0]).sort((a, b) => a - b);
  const usual = gaps[Math.floor(gaps.length / 2)] || 0;
  const result = [[], [], [], []];
  points.forEach(([time, ...values], i) => {
    if (i > 0 && time - points[i - 1][0] > 2.5 * usual) {
      result[0].push(points[i - 1][0] + usual);
      for (const column of result.slice(1)) column.push(null);
    }
    result[0].push(time);
    values.forEach((value, n) => result[n + 1].push(value * scale));
  });
  return result;
}

function draw(series, range) {
  const width = (box) => Math.max(200, box.clientWidth);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const had = charts;
  charts = [];
  const boxes = [];
  for (const kind of kinds) {
    const lines = kind.lines
      .map(([key, label], i) => ({ label, second: i > 0, series: series.find((s) => s.key === key) }))
      .filter(({ series }) => series && series.points.length > 0);
    if (lines.length === 0) continue;
    boxes.push({ kind, lines });
  }
  const list = at("charts");
  const figures = boxes.map(({ kind, lines }) => {
    const legend = element("p", { class: "legend" });
    const plot = element("div", { class: "plot", role: "img" });
    const figure = element("figure", { class: "chart" },
      element("h3", {}, `${kind.name}, ${kind.unit}`), legend, plot);
    return { kind, lines, legend, plot, figure };
  });
  for (const chart of had) chart.destroy();
  list.replaceChildren(...figures.map(({ figure }) => figure));
  for (const { kind, lines, legend, plot } of figures) {
    const scale = kind.scale || 1;
    const data = uPlot.join(lines.map(({ series }) => columns(series.points, scale)));
    const values = lines.map(({ label, second }) => {
      const value = element("span", {});
      legend.append(element("span", { class: "item" },
        element("span", { class: second ? "key second" : "key", "aria-hidden": "true" }),
        `${label} `, value));
      return value;
    });
    const when = element("span", {});
    legend.append(when);
    const read = (i) => lines.forEach((line, n) => {
      const column = data[1 + 3 * n + 1];
      let j = i;
      if (j === null) for (j = column.length - 1; j > 0 && column[j] == null; j--);
      setText(values[n], column[j] == null ? "–" : `${rounded(column[j])} ${kind.unit}`);
      setText(when, i === null ? "last" : moment(data[0][i] * 1000));
    });
    plot.setAttribute("aria-label", `${kind.name}: ` + lines.map(({ label, series }) => {
      const { least, mean, most } = extremes(series.points, scale);
      return `${label} from ${rounded(least)} to ${rounded(most)} ${kind.unit}, ` +
        `${rounded(mean)} ${kind.unit} on average`;
    }).join("; ") + ". The table Summary has the same.");
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const made = [{}];
    const bands = [];
    lines.forEach(({ second }, n) => {
      const stroke = colour(second ? "--second" : "--first");
      const hidden = { stroke: "transparent", width: 0, points: { show: false } };
      made.push(hidden,
        { stroke, width: 2, dash: second ? [6, 4] : undefined, points: { show: false } }, hidden);
      bands.push({ series: [3 * n + 3, 3 * n + 1], fill: faint(stroke) });
    });
    const chart = new uPlot({
      width: width(plot), height: 190,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "history" } },
      scales: {
        x: { range: () => [range.from, range.to] },
        y: { range: (_, low, high) => {
          if (low == null) return [0, 1];
          const room = Math.max((high - low) * 0.1, high * 0.005, 0.1);
          return [kind.zero ? 0 : low - room, kind.top ? Math.max(kind.top, high) : high + room];
        } },
      },
      axes: [{ ...axis, space: 70 }, { ...axis, size: 48 }],
      series: made,
      bands,
      hooks: {
        drawClear: [(u) => shade(u, colour("--band"))],
        setCursor: [(u) => read(u.cursor.idx == null ? null : u.cursor.idx)],
      },
    }, data, plot);
    read(null);
    charts.push(chart);
  }
}

// shade marks the outages.
function shade(u, fill) {
  const { left, top, width, height } = u.bbox;
  u.ctx.save();
  u.ctx.fillStyle = fill;
  for (const { from, to } of outages) {
    const x = (time) => Math.min(left + width, Math.max(left, u.valToPos(time / 1000, "x", true)));
    const start = x(new Date(from).getTime());
    const end = x(to ? new Date(to).getTime() : Date.now());
    u.ctx.fillRect(start, top, Math.max(2 * devicePixelRatio, end - start), height);
  }
  u.ctx.restore();
}

const rounded = (n) => n.toLocaleString(undefined, { maximumFractionDigits: 1 });

// faint returns a colour, written as in "#1f6fa8", with little opacity.
const faint = (colour) => colour + "38";

function extremes(points, scale) {
  let least = Infinity, most = -Infinity, sum = 0;
  for (const [, low, mean, high] of points) {
    least = Math.min(least, low);
    most = Math.max(most, high);
    sum += mean;
  }
  return { least: least * scale, mean: sum / points.length * scale, most: most * scale };
}

function csv(path, parameters) {
  const query = new URLSearchParams({ ...parameters, format: "csv" });
  return element("a", { href: `api/v1/${path}?${query}`, download: "" }, "CSV");
}

function panel(name, link, caption, heads, rows, none) {
  const head = element("div", { class: "panel-head" }, element("h3", {}, name), link);
  if (rows.length === 0) {
    return element("section", { class: "panel" }, head, element("p", { class: "note" }, none));
  }
  const cells = (row) => row.map((text, i) => i === 0
    ? element("th", { scope: "row" }, text) : element("td", {}, text));
  return element("section", { class: "panel" }, head,
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
      element("table", {}, element("caption", {}, caption),
        element("thead", {},
          element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row)))))));
}

function tables(series, range, events) {
  const label = ranges.find(([name]) => name === shown.name)[1];
  const { unit } = range;
  const summary = kinds.flatMap(({ lines, unit, scale = 1, name }) => lines.flatMap(([key, line]) => {
    const found = series.find((s) => s.key === key);
    if (!found || found.points.length === 0) return [];
    const { least, mean, most } = extremes(found.points, scale);
    const said = lines.length > 1 ? `${line} ${name.toLowerCase()}` : name;
    return [[said, ...[least, mean, most].map((n) => `${rounded(n)} ${unit}`)]];
  }));
  const list = outages.map(({ from, to, lowest_charge: charge, energy_wh: energy }) => [
    moment(from), to ? moment(to) : "still on battery",
    span(((to ? new Date(to) : Date.now()) - new Date(from)) / 1000),
    charge === undefined ? "not known" : `${rounded(charge)} %`,
    energy === undefined ? "not known" : `${rounded(energy)} Wh`,
  ]);
  const all = [...events, ...older.filter(({ id }) => events.every((event) => event.id !== id))];
  const happened = panel("Events", csv("events", { unit, limit: 1000 }), "The latest first",
    ["Time", "What happened"], all.map(({ time, text }) => [moment(time), text]),
    "Nothing has happened yet.");
  if (events.length > 0 && !(older.end || events.length < 50)) {
    const more = element("button", { type: "button" }, "Older events");
    more.onclick = () => moreEvents(series, range, events, all);
    happened.append(more);
  }
  at("tables").replaceChildren(
    panel("Summary", csv("history", { ...range, points: 2000 }), `Over ${label}`,
      ["Reading", "Lowest", "Average", "Highest"], summary, "There are no readings."),
    panel("Outages", csv("outages", { ...range, limit: 1000 }), `Within ${label}, the latest first`,
      ["From", "To", "For", "Lowest charge", "Energy"], list, "There was none."),
    happened);
}

async function moreEvents(series, range, events, all) {
  try {
    const before = Math.min(...all.map(({ id }) => id));
    const found = await get("events", { unit: range.unit, limit: 50, before });
    const end = found.events.length < 50;
    older = [...all.slice(events.length), ...found.events];
    older.end = end;
    tables(series, range, events);
  } catch (problem) {
    if (problem.name !== "AbortError") setText(at("history-notice"), problem.message);
  }
}

// The charts take their colours and widths from the page.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown && refresh());
let wide = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === wide) return; // a phone that hides its address bar
  wide = innerWidth;
  for (const chart of charts) {
    chart.setSize({ width: Math.max(200, chart.root.parentElement.clientWidth), height: 190 });
  }
});

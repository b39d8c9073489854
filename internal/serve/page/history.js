// Charts and tables of what a unit said. They need uPlot, which is loaded with the first of them.
import { element, setText, setHidden, setAttribute, moment, span } from "./text.js";

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
  { name: "Charge", unit: "%", lines: [["health", "Charge"]], zero: true, top: 105 },
  {
    name: "Run time", unit: "min", lines: [["time to empty", "Run time"]], zero: true,
    scale: 1 / 60,
  },
  { name: "Voltage", unit: "V", lines: [["input.voltage", "Input"], ["output.voltage", "Output"]] },
  { name: "Battery voltage", unit: "V", lines: [["battery.voltage", "Battery"]] },
];

const at = (id) => document.getElementById(id);
let shown = null; // { unit, span, name }
let now = Date.now; // by the server's clock
let timer = 0;
let due = false; // whether to ask again once somebody looks at the page
let asking = null; // aborts what is under way
let asked = null; // the parameters of what is shown: unit, from, to
let charts = [];
let tables = null;
let outages = [];
let newest = []; // events
let older = []; // those that were asked for by the button
let ended = false; // whether there are none before them
const height = 190; // of a chart

// show shows the history of a unit over a range, and keeps it up to date. The address is that of
// the unit on the page; clock returns the time by the server's clock.
export function show(unit, range, address, clock) {
  now = clock;
  const [name, , seconds] = ranges.find(([name]) => name === range) || ranges[2];
  if (shown && shown.unit === unit && shown.name === name) return;
  if (!shown || shown.unit !== unit) {
    clear();
    older = [];
    ended = false;
  }
  shown = { unit, name, span: seconds };
  showRanges(address);
  refresh();
}

// showRanges makes the links once: one that is replaced loses the focus.
function showRanges(address) {
  const box = at("ranges");
  if (box.children.length === 0) {
    box.append(...ranges.map(([, label]) => element("a", {}, label)));
  }
  ranges.forEach(([name], i) => {
    const link = box.children[i];
    setAttribute(link, "href", `${address}&range=${name}`);
    if (name === shown.name) setAttribute(link, "aria-current", "true");
    else link.removeAttribute("aria-current");
  });
}

export function hide() {
  shown = null;
  due = false;
  clearTimeout(timer);
  if (asking) asking.abort();
  clear();
}

// soon asks again in a while, in milliseconds: something has happened.
export function soon(wait) {
  if (!shown) return;
  clearTimeout(timer);
  timer = setTimeout(refresh, wait);
}

function clear() {
  for (const chart of charts) chart.destroy();
  charts = [];
  tables = null;
  at("tables").replaceChildren();
}

async function get(path, parameters) {
  const { signal } = asking;
  const address = "api/v1/" + path + "?" + new URLSearchParams(parameters);
  const response = await fetch(address, { signal }).catch((problem) => {
    throw signal.aborted ? problem : new Error("The history cannot be had: no connection.");
  });
  const said = await response.json();
  if (!response.ok) throw new Error(said.error);
  return said;
}

async function refresh() {
  clearTimeout(timer);
  due = false;
  if (asking) asking.abort();
  asking = new AbortController();
  const { unit, span: seconds } = shown;
  const mine = asking;
  const to = Math.floor(now() / 1000);
  const range = { unit, from: to - seconds, to };
  try {
    const [readings, events, found] = await Promise.all([
      get("history", { ...range, points: 360 }),
      get("events", { unit, limit: page }),
      get("outages", range),
      script(),
    ]);
    if (mine !== asking || !shown) return;
    setText(at("history-notice"), readings.problem || "");
    setHidden(at("history-notice"), !readings.problem);
    asked = range;
    outages = found.outages;
    newest = events.events;
    draw(readings.series);
    tabulate(readings.series);
  } catch (problem) {
    if (mine !== asking || !shown) return;
    clear();
    tell(problem);
  }
  timer = setTimeout(() => {
    if (document.hidden) due = true; // a page in the background needs no charts
    else refresh();
  }, (charts.length === 0 ? 5 : Math.min(60, Math.max(10, seconds / 360))) * 1000);
}
document.addEventListener("visibilitychange", () => {
  if (due && !document.hidden) refresh();
});

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

// draw draws the charts of the readings that there are. It makes new ones only where others than
// before have readings, or where the colours have changed.
function draw(series) {
  const drawn = kinds.map((kind) => ({
    kind,
    lines: kind.lines
      .map(([key, label]) => ({ label, points: (series.find((s) => s.key === key) || {}).points }))
      .filter(({ points }) => points && points.length > 0),
  })).filter(({ lines }) => lines.length > 0);
  const kept = drawn.length === charts.length && drawn.every(({ kind, lines }, i) =>
    kind === charts[i].kind && lines.length === charts[i].lines);
  if (!kept) {
    for (const chart of charts) chart.destroy();
    charts = drawn.map(({ kind, lines }) => new Chart(kind, lines));
  }
  drawn.forEach(({ lines }, i) => charts[i].set(lines));
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

class Chart {
  constructor(kind, lines) {
    this.kind = kind;
    this.lines = lines.length;
    this.when = element("span", { class: "item" });
    this.values = lines.map(() => element("span", {}));
    this.plot = element("div", { class: "plot", role: "img" });
    this.figure = element("figure", { class: "chart" },
      element("h3", {}, `${kind.name}, ${kind.unit}`),
      element("p", { class: "legend" }, this.when, ...lines.map(({ label }, n) =>
        element("span", { class: "item" },
          element("span", { class: n > 0 ? "key second" : "key", "aria-hidden": "true" }),
          label + " ", this.values[n]))),
      this.plot);
    at("charts").append(this.figure);
    const axis = {
      stroke: colour("--soft"), font: "12px system-ui, sans-serif",
      grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 },
    };
    const made = [{}];
    const bands = [];
    lines.forEach((_, n) => { // each has the least, the mean and the most
      const stroke = colour(n > 0 ? "--second" : "--first");
      const edge = { stroke: "transparent", width: 0, points: { show: false } };
      const dash = n > 0 ? [6, 4] : undefined;
      const points = { show: true, size: 4, stroke, fill: stroke, filter: lone };
      made.push(edge, { stroke, width: 2, dash, points }, edge);
      bands.push({ series: [3 * n + 3, 3 * n + 1], fill: faint(stroke) });
    });
    this.u = new uPlot({
      width: this.width(), height,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "history" } },
      scales: {
        x: { range: () => [asked.from, asked.to] },
        y: { range: (_, low, high) => {
          if (low == null) return [0, 1];
          if (kind.zero) return [0, Math.max(kind.top || 1, high * 1.1)];
          const room = Math.max((high - low) * 0.1, high * 0.005, 0.1);
          return [low < 0 ? low - room : Math.max(0, low - room), high + room];
        } },
      },
      axes: [{ ...axis, space: 70, values: ticks }, { ...axis, size: 48 }],
      series: made,
      bands,
      hooks: {
        drawClear: [(u) => shade(u, colour("--band"))],
        setCursor: [(u) => this.read(u.cursor.idx)],
      },
    }, [[], ...made.slice(1).map(() => [])], this.plot);
  }

  width() { return Math.max(200, this.plot.clientWidth); }

  resize() {
    const width = this.width();
    if (width !== this.u.width) this.u.setSize({ width, height });
  }

  destroy() {
    this.u.destroy();
    this.figure.remove();
  }

  set(lines) {
    const { name, unit, scale = 1 } = this.kind;
    this.data = uPlot.join(lines.map(({ points }) => columns(points, scale)));
    this.u.setData(this.data);
    this.read(this.u.cursor.idx);
    this.plot.setAttribute("aria-label", `${name}: ` + lines.map(({ label, points }) => {
      const { least, mean, most } = extremes(points, scale);
      return `${label} from ${rounded(least)} to ${rounded(most)} ${unit}, ` +
        `${rounded(mean)} ${unit} on average`;
    }).join("; ") + ". The table Summary has the same.");
  }

  // read writes what the lines are where the cursor is, or at last, and when that was.
  read(i) {
    const [times, ...columns] = this.data || [[]];
    const means = this.values.map((_, n) => columns[3 * n + 1] || []);
    const pointed = i != null && times[i] !== undefined;
    if (!pointed) i = times.findLastIndex((_, at) => means.some((mean) => mean[at] != null));
    setText(this.when, i < 0 ? "" : (pointed ? "" : "Last, ") + moment(times[i] * 1000));
    this.values.forEach((value, n) => {
      const said = means[n][i];
      setText(value, said == null ? "–" : `${rounded(said)} ${this.kind.unit}`);
    });
  }
}

const hours = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const months = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric" });

// ticks writes the times of an axis as the visitor does: the day below the first and the midnights.
function ticks(_, times, axis, space, step) {
  return times.map((time, i) => {
    const at = new Date(time * 1000);
    if (step >= 28 * 86400) return months.format(at);
    if (step >= 86400) return days.format(at);
    const another = i === 0 || new Date(times[i - 1] * 1000).getDate() !== at.getDate();
    return hours.format(at) + (another ? "\n" + days.format(at) : "");
  });
}

// lone returns where a line has a point without neighbours, such as its first: no line shows that.
function lone(u, n) {
  const values = u.data[n];
  return [...values.keys()].filter((i) =>
    values[i] != null && values[i - 1] == null && values[i + 1] == null);
}

// shade marks the outages.
function shade(u, fill) {
  const { left, top, width, height } = u.bbox;
  u.ctx.save();
  u.ctx.fillStyle = fill;
  for (const { from, to } of outages) {
    const x = (time) => Math.min(left + width, Math.max(left, u.valToPos(time / 1000, "x", true)));
    const start = x(new Date(from).getTime());
    const end = x(to ? new Date(to).getTime() : now());
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

// Table is a table with a heading and its rows as CSV. Its rows are written where they differ.
class Table {
  constructor(name, path, heads, none) {
    this.path = path;
    this.link = element("a", { download: "", "aria-label": `${name} as CSV` }, "CSV");
    this.caption = element("caption", {});
    this.body = element("tbody", {});
    this.none = element("p", { class: "note" }, none);
    this.scroll = element("div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
      element("table", { class: `${path} ${heads.length > 2 ? "tight" : ""}` }, this.caption,
        element("thead", {},
          element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
        this.body));
    this.root = element("section", { class: "panel" },
      element("div", { class: "panel-head" }, element("h3", {}, name), this.link),
      this.none, this.scroll);
    at("tables").append(this.root);
  }

  set(rows, caption, parameters) {
    const query = new URLSearchParams({ ...parameters, format: "csv" });
    this.link.setAttribute("href", `api/v1/${this.path}?${query}`);
    setText(this.caption, caption);
    setHidden(this.none, rows.length > 0);
    setHidden(this.scroll, rows.length === 0);
    const written = JSON.stringify(rows);
    if (this.written === written) return;
    this.written = written;
    this.body.replaceChildren(...rows.map((row) => element("tr", {}, ...row.map((text, i) =>
      i === 0 ? element("th", { scope: "row" }, text) : element("td", {}, text)))));
  }
}

function tabulate(series) {
  if (!tables) {
    tables = {
      summary: new Table("Summary", "history", ["Reading", "Lowest", "Average", "Highest"],
        "There are no readings."),
      outages: new Table("Outages", "outages", ["From", "To", "For", "Lowest charge", "Energy"],
        "There was none."),
      events: new Table("Events", "events", ["Time", "What happened"], "Nothing has happened yet."),
      more: element("button", { type: "button" }, "Older events"),
    };
    tables.more.onclick = moreEvents;
    tables.events.root.append(tables.more);
  }
  const over = ranges.find(([name]) => name === shown.name)[1];
  tables.summary.set(kinds.flatMap(({ lines, unit, scale = 1, name }) =>
    lines.flatMap(([key, line]) => {
      const { points } = series.find((s) => s.key === key) || { points: [] };
      if (points.length === 0) return [];
      const { least, mean, most } = extremes(points, scale);
      const said = lines.length > 1 ? `${line} ${name.toLowerCase()}` : name;
      return [[said, ...[least, mean, most].map((n) => `${rounded(n)} ${unit}`)]];
    })), `Over ${over}`, { ...asked, points: 2000 });
  tables.outages.set(outages.map(({ from, to, lowest_charge: charge, energy_wh: energy }) => [
    moment(from), to ? moment(to) : "still on battery",
    span(((to ? new Date(to) : now()) - new Date(from)) / 1000),
    charge === undefined ? "not known" : `${rounded(charge)} %`,
    energy === undefined ? "not known" : `${rounded(energy)} Wh`,
  ]), `Within ${over}, the latest first`, { ...asked, limit: 1000 });
  tabulateEvents();
}

const page = 50; // how many events are asked for at once

function tabulateEvents() {
  const all = [...newest, ...older.filter(({ id }) => newest.every((event) => event.id !== id))];
  tables.events.set(all.map(({ time, text }) => [moment(time), text]), "The latest first",
    { unit: shown.unit, limit: 1000 });
  setHidden(tables.more, newest.length < page || ended);
}

async function moreEvents() {
  const { unit } = shown;
  try {
    const before = [...newest, ...older].reduce((least, { id }) => Math.min(least, id), Infinity);
    const { events } = await get("events", { unit, limit: page, before });
    if (!shown || shown.unit !== unit) return;
    older = [...newest, ...older, ...events]
      .filter(({ id }, i, all) => all.findIndex((event) => event.id === id) === i);
    ended = events.length < page;
    tabulateEvents();
  } catch (problem) {
    tell(problem);
  }
}

function tell(problem) {
  if (problem.name === "AbortError") return;
  setText(at("history-notice"), problem.message || "The history cannot be had.");
  setHidden(at("history-notice"), false);
}

// The charts take their colours and widths from the page.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (!shown) return;
  for (const chart of charts) chart.destroy();
  charts = [];
  refresh();
});
new ResizeObserver(() => {
  for (const chart of charts) chart.resize();
}).observe(at("charts"));

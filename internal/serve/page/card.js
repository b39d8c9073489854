// A card shows how one unit does.
import { element, setText, setHidden, setAttribute, moment, span, number } from "./text.js";

// stateOf returns the words for the state of a unit, and how bad it is.
export function stateOf(unit) {
  const critical = unit.alerts.some((alert) => alert.severity === "critical");
  const warned = unit.alerts.length > 0;
  switch (unit.state) {
    case "on line power":
      return {
        words: "On line power", glyph: warned ? "!" : "✓",
        tone: critical ? "bad" : warned ? "warn" : "good",
      };
    case "on battery":
      return { words: "On battery", glyph: "!", tone: critical ? "bad" : "warn" };
    case "lost":
      return {
        words: unit.lost_on_battery ? "Lost while on battery" : "Lost", glyph: "×", tone: "bad",
      };
    case "not read yet":
      return { words: "Not read yet", glyph: "…", tone: "idle" };
  }
  return { words: "Line power unknown", glyph: "?", tone: critical ? "bad" : "warn" };
}

// What a card shows of the readings: the large ones, and the others.
const large = [
  { key: "health", label: "Charge", bar: true },
  { key: "output.load", label: "Load", bar: true },
  { key: "time to empty", label: "Run time" },
];
const small = [
  { key: "input.voltage", label: "Input" },
  { key: "output.voltage", label: "Output" },
  { key: "battery.voltage", label: "Battery" },
  { key: "output.power", label: "Power" },
  { key: "output.current", label: "Current" },
  { key: "input.frequency", label: "Frequency" },
  { key: "unit temperature", label: "Temperature" },
  { key: "battery.temperature", label: "Battery temperature" },
];

let made = 0;

export class Card {
  constructor() {
    const id = "unit-" + made++;
    this.link = element("a", { href: "?" });
    this.model = element("p", { class: "model" });
    this.glyph = element("span", { class: "glyph", "aria-hidden": "true" });
    this.words = element("strong", {});
    this.since = element("span", { class: "since" });
    this.alerts = element("ul", { class: "alerts", "aria-label": "Alerts" });
    this.problem = element("p", { class: "problem" }); // why it is lost
    this.missing = element("p", {}); // what could not be read
    this.part = element("details", { class: "problem" },
      element("summary", {}, "Read in part"), this.missing);
    this.main = element("dl", { class: "main" });
    this.more = element("dl", { class: "more" });
    this.read = element("p", { class: "read" });
    this.large = large.map((row) => this.row(this.main, row));
    this.small = small.map((row) => this.row(this.more, row));
    this.root = element("article", { class: "card", "aria-labelledby": id },
      element("h2", { id }, this.link), this.model,
      element("div", { class: "state" }, this.glyph,
        element("p", {}, this.words, this.since)),
      this.alerts, this.problem, this.main, this.more, this.read, this.part);
  }

  row(list, { key, label, bar }) {
    const value = element("span", {});
    const note = element("span", { class: "note" });
    const fill = element("i", {});
    const dd = element("dd", {}, value);
    if (bar) dd.append(element("div", { class: "bar", "aria-hidden": "true" }, fill));
    if (key === "health") dd.append(note);
    const root = element("div", { "data-key": key }, element("dt", {}, label), dd);
    list.append(root);
    return { key, bar, root, value, note, fill };
  }

  // show shows a unit; at is the time by the server's clock.
  show(unit, address, at) {
    this.unit = unit;
    setText(this.link, unit.name);
    setAttribute(this.link, "href", address);
    setText(this.model, [unit.model, unit.serial && `serial ${unit.serial}`, unit.path]
      .filter(Boolean).join(" · "));
    this.state(stateOf(unit));
    this.showAlerts(unit.alerts.filter((alert) => alert.name !== "on-battery"));
    this.showProblem(unit.up ? "" : unit.problem, unit.up ? unit.problem : "");
    this.showReadings(unit.readings || {});
    this.tick(at);
  }

  // unknown takes all values off: the page has no connection.
  unknown() {
    this.unit = null;
    this.state({ words: "Not known", glyph: "?", tone: "idle" });
    setText(this.since, "no connection to the server");
    this.showAlerts([]);
    this.showProblem("", "");
    this.showReadings({});
    setText(this.read, "");
  }

  state({ words, glyph, tone }) {
    setAttribute(this.root, "data-tone", tone);
    setText(this.words, words);
    setText(this.glyph, glyph);
  }

  showAlerts(alerts) {
    const same = JSON.stringify(alerts);
    if (this.alerted === same) return;
    this.alerted = same;
    setHidden(this.alerts, alerts.length === 0);
    this.alerts.replaceChildren(...alerts.map(({ severity, text }) =>
      element("li", { class: severity === "critical" ? "critical" : "warning" },
        element("span", { class: "severity" }, severity),
        element("span", {}, text.slice(0, 1).toUpperCase() + text.slice(1)))));
  }

  showProblem(problem = "", missing = "") {
    setText(this.problem, problem);
    setHidden(this.problem, !problem);
    setText(this.missing, missing.replaceAll("; ", ";\n"));
    setHidden(this.part, !missing);
  }

  showReadings(readings) {
    for (const list of [this.large, this.small]) {
      let any = false;
      for (const { key, bar, root, value, note, fill } of list) {
        const reading = readings[key];
        setHidden(root, !reading);
        if (!reading) {
          setText(value, "");
          setText(note, "");
          fill.style.width = "0";
          continue;
        }
        any = true;
        this.value(value, reading);
        if (bar) fill.style.width = Math.min(100, Math.max(0, reading.value)) + "%";
        setText(note, key === "health" ? chargeNote(readings) : "");
      }
      setHidden(list[0].root.parentElement, !any);
    }
  }

  // value writes a reading with its units smaller.
  value(into, { value, unit, text }) {
    const parts = (text || `${number(value)} ${unit || ""}`).trim().split(" ");
    const written = parts.join(" ");
    if (into.textContent === written) return;
    into.replaceChildren(...parts.flatMap((part, i) => [
      i > 0 ? " " : "", /\d/.test(part) ? part : element("span", { class: "small" }, part)]));
  }

  // tick tells how long something has lasted.
  tick(at) {
    const unit = this.unit;
    if (!unit) return;
    setText(this.since, sinceText(unit, at));
    setHidden(this.read, !unit.time);
    if (unit.time) setText(this.read, `Read ${span((at - new Date(unit.time)) / 1000)} ago`);
  }
}

function sinceText(unit, at) {
  const ago = (time) => span((at - new Date(time)) / 1000);
  if (unit.state === "on battery" && unit.on_battery_since) {
    // A unit that has been on battery since its first reading may have been so before.
    const before = unit.since && new Date(unit.on_battery_since) <= new Date(unit.since);
    return `since ${before ? "at least " : ""}${moment(unit.on_battery_since)}, ` +
      `for ${ago(unit.on_battery_since)}`;
  }
  if (unit.state === "lost" && unit.since) {
    return `since ${moment(unit.since)}, for ${ago(unit.since)}`;
  }
  return "";
}

function chargeNote(readings) {
  const is = (key) => readings["status." + key] && readings["status." + key].value === true;
  if (is("discharging")) return "discharging";
  if (is("charging")) return "charging";
  if (is("fully charged")) return "full";
  return "";
}

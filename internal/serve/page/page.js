// The page shows what the stream says. It makes text of every string, never markup.
import { element, setText, setHidden, moment, number } from "./text.js";
import { Card, stateOf } from "./card.js";

// How long nothing may be heard before the values are taken off, in milliseconds. A stream without
// news says every five seconds that it is there.
const silence = 15000;

const at = (id) => document.getElementById(id);
const title = document.title;
const hasHistory = "history" in document.body.dataset;

let source = null; // the stream
let heard = { ticks: 0, clock: 0 }; // when something came by it, by two clocks
let retry = 500;
let lostSince = new Date(); // when the connection was lost, or the page began without one
let live = false;
let tried = false; // whether there was no connection before
let reconnect = 0; // the timer of the next try
let answer = null; // what the units say; null while that is not known
let ahead = 0; // how much the server's clock is ahead of ours, in milliseconds
let history = null; // history.js, once it is needed
const cards = new Map(); // by path

function connect() {
  source = new EventSource("api/v1/stream");
  const on = (name, take) => source.addEventListener(name, (event) => {
    if (jumped()) {
      disconnect();
      return;
    }
    hear();
    take(JSON.parse(event.data));
  });
  on("units", (said) => {
    if (!live && tried) {
      setText(at("spoken"), "The connection to the server is back.");
      if (history) history.soon(0);
    }
    retry = 500;
    live = true;
    answer = said;
    ahead = new Date(said.time) - Date.now();
    show();
  });
  on("unit", (unit) => {
    if (!answer) return;
    answer.units = answer.units.map((old) => old.path === unit.path ? unit : old);
    show();
  });
  on("beat", () => {});
  source.onerror = disconnect;
  hear();
}

function hear() {
  heard = { ticks: performance.now(), clock: Date.now() };
}

// jumped reports whether the clocks disagree: the computer slept, or somebody set its clock. What
// the page knows of the server's time is wrong then, and the stream may be dead.
const jumped = () =>
  Math.abs(Date.now() - heard.clock - (performance.now() - heard.ticks)) > 5000;

// disconnect takes all values off: what was true is not what is.
function disconnect() {
  source.close();
  if (live) {
    lostSince = new Date();
    setText(at("spoken"), "The connection to the server is lost.");
  }
  live = false;
  tried = true;
  answer = null;
  show();
  const wait = retry;
  retry = Math.min(retry * 2, 10000);
  clearTimeout(reconnect);
  reconnect = setTimeout(connect, wait);
}

// now returns the time by the server's clock.
const now = () => Date.now() + ahead;

// chosen returns which unit and range the address of the page asks for.
function chosen() {
  const query = new URLSearchParams(location.search);
  return { unit: query.get("unit"), range: query.get("range") || "day" };
}

// address returns the address of a unit on this page.
function address(unit, units) {
  const unique = units.filter((other) => other.name === unit.name).length === 1;
  return "?" + new URLSearchParams({ unit: unique ? unit.name : unit.path });
}

function show() {
  showConnection();
  if (!answer) {
    for (const card of cards.values()) card.unknown();
    setHidden(at("summary"), true);
    setHidden(at("readings"), true);
    document.title = (tried ? "No connection · " : "") + title;
    return;
  }
  const units = answer.units;
  const want = chosen();
  const one = units.find((unit) => unit.name === want.unit) ||
    units.find((unit) => unit.path === want.unit) ||
    (want.unit === null && units.length === 1 ? units[0] : undefined);
  const shown = want.unit !== null || one ? (one ? [one] : []) : units;

  showCards(shown, units, Boolean(one));
  setHidden(at("back"), !(want.unit !== null && (units.length > 1 || !one)));
  showSummary(units, one);
  showNotice(units, want, one);
  showReadings(one);
  showTitle(units, one);
  for (const unit of units) announce(unit);
  if (hasHistory) showHistory(one, want.range, one && address(one, units));
}

function showConnection() {
  const is = live ? "live" : tried ? "lost" : "connecting";
  at("connection").dataset.is = is;
  setText(at("connection-text"), {
    live: "Live",
    lost: "No connection since " + moment(lostSince),
    connecting: "Connecting",
  }[is]);
}

function showCards(shown, units, single) {
  const box = at("cards");
  box.classList.toggle("single", single);
  for (const [path, card] of cards) {
    if (!shown.some((unit) => unit.path === path)) {
      card.root.remove();
      cards.delete(path);
    }
  }
  shown.forEach((unit, i) => {
    let card = cards.get(unit.path);
    if (!card) {
      card = new Card();
      cards.set(unit.path, card);
    }
    if (box.children[i] !== card.root) box.insertBefore(card.root, box.children[i] || null);
    card.show(unit, address(unit, units), now());
  });
}

function showSummary(units, one) {
  const bad = units.filter((unit) => stateOf(unit).tone !== "good");
  setHidden(at("summary"), Boolean(one) || units.length < 2);
  const names = bad.map((unit) => unit.name).join(", ");
  setText(at("summary"), bad.length === 0
    ? `All ${units.length} units are on line power and need nothing.`
    : `${bad.length} of ${units.length} units ${bad.length === 1 ? "needs" : "need"} ` +
      `a look: ${names}.`);
}

function showNotice(units, want, one) {
  let text = "";
  if (answer.problem) {
    text = "The units cannot be read: " + answer.problem;
  } else if (!answer.looked) {
    text = "Looking for units.";
  } else if (units.length === 0) {
    text = "No UPS is attached. One that is plugged in appears here by itself.";
  } else if (want.unit !== null && !one) {
    text = `There is no unit “${want.unit}” here.`;
  }
  setText(at("notice"), text);
  setHidden(at("notice"), text === "");
}

function showReadings(unit) {
  const readings = unit && unit.readings;
  setHidden(at("readings"), !readings);
  if (!readings) return;
  const body = at("readings-rows");
  const keys = Object.keys(readings).sort();
  if (body.dataset.keys !== JSON.stringify(keys)) {
    body.dataset.keys = JSON.stringify(keys);
    body.replaceChildren(...keys.map((key) =>
      element("tr", {}, element("th", { scope: "row" }, key), element("td", {}))));
  }
  keys.forEach((key, i) => {
    const { value, unit: of, text } = readings[key];
    const said = typeof value === "boolean" ? (value ? "yes" : "no")
      : text || (typeof value === "number" ? number(value) + (of ? " " + of : "") : value);
    setText(body.rows[i].cells[1], said);
  });
}

function showTitle(units, one) {
  const worst = (one ? [one] : units).find((unit) => stateOf(unit).tone === "bad") ||
    (one ? [one] : units).find((unit) => stateOf(unit).tone === "warn");
  document.title = worst ? `${stateOf(worst).words}: ${worst.name} · ${title}`
    : one ? `${one.name} · ${title}` : title;
}

// What has been said aloud of each unit, and what waits to be. Flags flap around a transfer, and a
// status that a unit announces comes without the rest: what has not lasted a second is not said.
const spoken = new Map();
const waiting = new Map();

function announce(unit) {
  const { words } = stateOf(unit);
  const alerts = unit.alerts.filter((alert) => alert.name !== "on-battery")
    .map((alert) => alert.text.replace(/ in [\d hmins]+$/, ""));
  const text = [`${unit.name}: ${words}`, ...alerts].join(", ");
  if (!spoken.has(unit.path)) {
    spoken.set(unit.path, text);
  } else if (spoken.get(unit.path) === text) {
    waiting.delete(unit.path);
  } else if (waiting.get(unit.path) !== text) {
    waiting.set(unit.path, text);
    setTimeout(() => {
      if (waiting.get(unit.path) !== text) return;
      waiting.delete(unit.path);
      spoken.set(unit.path, text);
      setText(at("spoken"), text);
      if (history) history.soon(5000);
    }, 1000);
  }
}

async function showHistory(unit, range, link) {
  setHidden(at("history"), !unit);
  if (!unit) {
    if (history) history.hide();
    return;
  }
  try {
    history = history || await import("./history.js");
    if (!at("history").hidden) history.show(unit.name, range, link, now);
  } catch {
    setText(at("history-notice"), "The history cannot be loaded.");
    setHidden(at("history-notice"), false);
  }
}

// Links to units and ranges change the page without loading it again.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.defaultPrevented || event.button !== 0 ||
      event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const inRanges = link.closest("#ranges");
  const href = link.getAttribute("href");
  window.history.pushState(null, "", href === "?" ? location.pathname : href);
  show();
  if (!inRanges) {
    at("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
});
addEventListener("popstate", show);

setInterval(() => {
  const quiet = performance.now() - heard.ticks;
  if (source.readyState !== EventSource.CLOSED && (quiet > silence || jumped())) disconnect();
  for (const card of cards.values()) card.tick(now());
}, 1000);
addEventListener("pageshow", (event) => {
  if (event.persisted) disconnect();
});

connect();

// What makes elements and texts. Nothing here takes markup.

// element makes an element with attributes and children; a child that is a string becomes text.
export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// setText changes the text of an element where that is another one.
export function setText(of, text) {
  if (of.textContent !== text) of.textContent = text;
}

export function setHidden(of, hidden) {
  if (of.hidden !== hidden) of.hidden = hidden;
}

export function setAttribute(of, name, value) {
  if (of.getAttribute(name) !== value) of.setAttribute(name, value);
}

// number writes a number with what decimals it has, three at most.
export const number = (n) => n.toLocaleString(undefined, { maximumFractionDigits: 3 });

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// moment writes a time, with the day unless it is today.
export function moment(time) {
  const date = new Date(time);
  return (date.toDateString() === new Date().toDateString() ? clock : full).format(date);
}

// span writes a number of seconds as in "2 h 5 min".
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n, unit, rest, smaller) => `${n} ${unit}` + (rest > 0 ? ` ${rest} ${smaller}` : "");
  if (s < 60) return `${s} s`;
  if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor(s % 3600 / 60), "min");
  const days = Math.floor(s / 86400);
  return two(days, days === 1 ? "day" : "days", Math.floor(s % 86400 / 3600), "h");
}

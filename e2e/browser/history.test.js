// The history of a unit: charts, tables, CSV, by mouse and by keyboard.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, shows } from "./browser.js";
import { units } from "./server.js";

let browser, server;
before(async () => {
  browser = await launch();
  server = await units(["rack=smart1500lcd", "desk=omni900lcd"], "-past");
});
after(async () => {
  await browser.close();
  await server.stop();
});

const charts = ["Load, %", "Power, W", "Charge, %", "Run time, min", "Voltage, V",
  "Battery voltage, V"];
const region = (page, name) => page.getByRole("region", { name });
const rows = (page, name) => region(page, name).locator("tbody tr");

async function history(t, query = "?unit=rack", options = {}) {
  const page = await open(browser, server.url + query, options);
  t.after(() => page.context().close());
  await rows(page, "Summary").first().waitFor();
  return page;
}

// painted returns in what part of its columns each chart has a line or a point. Those are blue or
// brown; the grid and the text are neither.
const painted = (page) => page.locator("#charts canvas").evaluateAll((all) => all.map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const columns = new Set();
  for (let i = 0; i < data.length; i += 4) {
    const [r, , b, a] = data.slice(i, i + 4);
    if (a > 200 && Math.abs(b - r) > 100) columns.add(i / 4 % canvas.width);
  }
  return columns.size / canvas.width;
}));

test("each reading has a chart with lines in it", async (t) => {
  const page = await history(t);
  assert.deepEqual(await page.locator("#charts h3").allInnerTexts(), charts);
  const parts = await painted(page);
  assert.equal(parts.length, charts.length);
  for (const [i, part] of parts.entries()) assert.ok(part > 0.5, `${charts[i]}: ${part}`);
  for (const label of await page.locator("#charts .plot").evaluateAll((all) =>
    all.map((plot) => plot.getAttribute("aria-label")))) {
    assert.match(label, /from -?[\d.,]+ to [\d.,]+ (%|W|V|min), [\d.,]+/);
  }
});

test("the tables have the outages and the events of the day", async (t) => {
  const page = await history(t);
  assert.equal(await rows(page, "Outages").count(), 3);
  const texts = await rows(page, "Outages").allInnerTexts();
  assert.match(texts[1], /14 min\s+\d\d %\s+[\d.]+ Wh/);
  assert.match(await region(page, "Events").innerText(), /power/i);
  assert.ok(await rows(page, "Events").count() >= 6);
  assert.match(await region(page, "Summary").innerText(), /Input voltage\s+0 V/);
});

test("the tables can be had as CSV", async (t) => {
  const page = await history(t);
  for (const [name, head, least] of [
    ["Summary", "time,key,unit,least,mean,most", 1000],
    ["Outages", "unit,from,to,lowest_charge_percent,energy_watt_hours", 4],
    ["Events", "id,time,unit,path,kind,text", 7],
  ]) {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: `${name} as CSV` }).click(),
    ]);
    const text = await (await download.createReadStream()).toArray();
    const lines = Buffer.concat(text).toString().trim().split(/\r?\n/);
    assert.equal(lines[0], head);
    assert.ok(lines.length >= least, `${name}: ${lines.length} lines`);
    assert.match(download.suggestedFilename(), /\.csv$/);
  }
});

test("of two ranges in haste the last one shows, and the address can be given to others",
  async (t) => {
    const page = await history(t);
    await page.route("**/api/v1/history?*", async (route) => {
      const query = new URL(route.request().url()).searchParams;
      // The answer for the longer range comes last.
      if (query.get("to") - query.get("from") > 86400) await new Promise((r) => setTimeout(r, 700));
      await route.continue().catch(() => {});
    });
    await page.getByRole("link", { name: "1 week" }).click();
    await page.getByRole("link", { name: "1 hour" }).click();
    await shows(region(page, "Summary"), "Over 1 hour");
    await page.waitForTimeout(1000);
    const csv = await page.getByRole("link", { name: "Summary as CSV" }).getAttribute("href");
    const of = new URLSearchParams(csv.slice(csv.indexOf("?")));
    assert.equal(of.get("to") - of.get("from"), 3600);
    await page.waitForURL("**/?unit=rack&range=hour");
    assert.equal(await page.locator("#ranges [aria-current]").innerText(), "1 hour");
    await page.goBack();
    await shows(region(page, "Summary"), "Over 1 week");
    await page.goBack();
    await shows(region(page, "Summary"), "Over 1 day");
    const other = await history(t, "?unit=rack&range=hour");
    await shows(region(other, "Summary"), "Over 1 hour");
    assert.deepEqual(page.wrong, []);
  });

test("the charts are of the server's time, whatever the visitor's clock says", async (t) => {
  const page = await open(browser, "about:blank");
  t.after(() => page.context().close());
  await page.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() + 5 * 3600_000;
  });
  await page.goto(server.url + "?unit=rack&range=hour");
  await shows(region(page, "Summary"), "Load");
  await shows(region(page, "Summary"), "Input voltage");
});

test("who leaves the history while it is asked for is done with it", async (t) => {
  const page = await open(browser, "about:blank");
  t.after(() => page.context().close());
  await page.clock.install();
  let answer;
  await page.route("**/api/v1/history?*", (route) => {
    answer = () => route.continue().catch(() => {});
  });
  await page.goto(server.url + "?unit=rack");
  await page.waitForRequest("**/api/v1/history?*");
  await page.getByRole("link", { name: "All units" }).click();
  await page.locator("article").nth(1).waitFor();
  const before = page.asked.filter((url) => url.includes("api/v1/history")).length;
  await answer();
  for (let i = 0; i < 15; i++) await page.clock.runFor(10_000);
  await shows(page.locator("#connection"), "Live");
  assert.equal(page.asked.filter((url) => url.includes("api/v1/history")).length, before);
  assert.deepEqual(page.wrong, []);
});

test("everything can be reached by the keyboard, and what has the focus is seen", async (t) => {
  const page = await history(t);
  const reached = [];
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    const one = await page.evaluate(() => {
      const e = document.activeElement;
      if (e === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(e);
      const { width, height, left } = e.getBoundingClientRect();
      e.dataset.reached = "";
      return {
        what: e.getAttribute("aria-label") || e.textContent.slice(0, 30),
        seen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && width > 0 && height > 0 &&
          left >= 0,
      };
    });
    if (!one) break;
    reached.push(one);
  }
  for (const { what, seen } of reached) assert.ok(seen, `${what} does not show its focus`);
  const missed = await page.evaluate(() =>
    [...document.querySelectorAll("a[href], button, summary, .scroll")]
      .filter((e) => e.getClientRects().length > 0 && !("reached" in e.dataset))
      .map((e) => e.textContent.slice(0, 30)));
  assert.deepEqual(missed, []);
  assert.equal(reached[0].what, "Skip to the units");

  await page.getByRole("link", { name: "1 hour" }).focus();
  await page.keyboard.press("Enter");
  await shows(region(page, "Summary"), "Over 1 hour");
  assert.ok(await page.getByRole("link", { name: "1 hour" }).evaluate((link) =>
    link === document.activeElement), "the focus stays where it was");
});

test("the first minute of a history is seen", async (t) => {
  const fresh = await units(["rack=smart1500lcd"]);
  t.after(() => fresh.stop());
  const page = await open(browser, fresh.url);
  t.after(() => page.context().close());
  await rows(page, "Summary").first().waitFor();
  for (const part of await painted(page)) assert.ok(part > 0, "there is a point");
});

test("without a history there are cards alone", async (t) => {
  const none = await units(["rack=smart1500lcd"], "-plain");
  t.after(() => none.stop());
  const page = await open(browser, none.url + "?unit=rack");
  t.after(() => page.context().close());
  await shows(page.locator(".state"), "On line power");
  assert.ok(await page.locator("#history").isHidden());
  assert.ok(!page.asked.some((url) => /uPlot|history/.test(url)), page.asked.join(" "));
});

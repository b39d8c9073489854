// The page is live: it follows its units and its server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { card, launch, open, shows } from "./browser.js";
import { tripplited, units } from "./server.js";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

// readings finds what a card says in digits that is no name, path or time.
const readings = (of) => of.locator("dl").evaluateAll((lists) =>
  lists.filter((list) => !list.hidden).map((list) => list.innerText).join(" "));
// seen waits for what a page notes, and returns it.
const seen = async (page) => (await page.waitForFunction(() => window.seen)).jsonValue();
const value = (of, key) => of.locator(`[data-key="${key}"] dd > span`).first();

test("tripplited shows values by itself, right from its start", async (t) => {
  const daemon = await tripplited();
  t.after(() => daemon.kill());
  const served = Date.now() - daemon.began;
  const page = await open(browser, daemon.url);
  const one = card(page, "ups-smart1500lcd");
  await shows(value(one, "input.voltage"), "117.2 V");
  const shown = Date.now() - daemon.began;
  await shows(one.locator(".state"), "On line power");
  await shows(page.locator("#connection"), "Live");
  t.diagnostic(`from the start of the program: served after ${served} ms, shown after ${shown} ms`);
  await page.context().close();
});

test("a power failure that a unit announces is on its card within 200 ms", async (t) => {
  const server = await units(["rack=smart1500lcd", "desk=omni900lcd"]);
  t.after(() => server.stop());
  const page = await open(browser, server.url);
  const one = card(page, "rack");
  await shows(one.locator(".state"), "On line power");
  const took = [];
  for (let i = 0; i < 10; i++) {
    // What is seen is what is painted: the frame after the change.
    await one.locator(".state").evaluate((state) => {
      window.seen = 0;
      const look = new MutationObserver(() => {
        if (!state.innerText.includes("On battery")) return;
        look.disconnect();
        requestAnimationFrame(() => { window.seen = performance.timeOrigin + performance.now(); });
      });
      look.observe(state, { subtree: true, childList: true, characterData: true });
    });
    const failed = await server.do("fail rack");
    took.push(Math.round(await seen(page) - failed));
    await shows(one.locator(".state"), /for \d/);
    await shows(value(one, "input.voltage"), /^0 V$/);
    await server.do("return rack");
    await shows(one.locator(".state"), "On line power");
    await shows(value(one, "input.voltage"), "117.2 V");
  }
  t.diagnostic(`from the announcement to the card: ${took.join(", ")} ms`);
  const median = [...took].sort((a, b) => a - b)[5];
  assert.ok(median < 200, `the median is ${median} ms`);
  assert.match(await card(page, "desk").locator(".state").innerText(), /On line power/);
  await page.context().close();
});

test("a unit that is lost shows no value", async (t) => {
  const server = await units(["rack=smart1500lcd", "desk=omni900lcd"]);
  t.after(() => server.stop());
  const page = await open(browser, server.url);
  const rack = card(page, "rack"), desk = card(page, "desk");
  await shows(value(rack, "input.voltage"), "117.2 V");
  await server.do("unplug rack");
  await shows(rack.locator(".state"), "Lost");
  assert.equal(await readings(rack), "");
  assert.doesNotMatch(await rack.innerText(), /\d (V|W|Hz|A|%|min)\b/);
  assert.doesNotMatch(await rack.innerText(), /Read \d/);
  assert.match(await readings(desk), /\d/, "the other unit has its values");
  await shows(page.locator("#summary"), "1 of 2 units needs a look: rack.");

  await page.goto(server.url + "?unit=rack");
  await shows(card(page, "rack").locator(".state"), "Lost");
  assert.equal(await readings(card(page, "rack")), "");
  assert.ok(await page.locator("#readings").isHidden(), "nor in the table");

  await server.do("replug rack");
  await shows(value(card(page, "rack"), "input.voltage"), "117.2 V");
  await server.do("fail rack");
  await shows(card(page, "rack").locator(".state"), "On battery");
  await page.waitForFunction(() => document.title.startsWith("On battery: rack"));
  await page.context().close();
});

test("a unit that is lost on battery is said to be", async (t) => {
  const server = await units(["rack=smart1500lcd"]);
  t.after(() => server.stop());
  const page = await open(browser, server.url);
  const rack = card(page, "rack");
  await shows(value(rack, "input.voltage"), "117.2 V");
  await server.do("fail rack");
  await shows(rack.locator(".state"), /for [4-9] s/); // by then it is believed
  await server.do("unplug rack");
  await shows(rack.locator(".state"), "Lost while on battery");
  assert.equal(await readings(rack), "");
  await page.context().close();
});

for (const signal of ["SIGKILL", "SIGTERM"]) {
  test(`the page outlives the ${signal} of its server`, async (t) => {
    const first = await tripplited();
    t.after(() => first.kill());
    const page = await open(browser, first.url + "?unit=ups-smart1500lcd");
    const one = card(page, "ups-smart1500lcd");
    await shows(value(one, "input.voltage"), "117.2 V");
    await shows(page.locator("#charts"), "Voltage, V");
    await page.evaluate(() => { window.stays = true; });
    await first.kill(signal);
    await shows(page.locator("#connection"), /No connection since \d/);
    await shows(one.locator(".state"), "Not known");
    assert.equal(await readings(one), "");
    assert.ok(await page.locator("#readings").isHidden());
    assert.match(await page.title(), /^No connection/);
    const asks = page.waitForRequest("**/api/v1/history?*");
    const again = await tripplited(first.address);
    t.after(() => again.kill());
    const began = Date.now();
    await shows(page.locator("#connection"), "Live");
    await shows(value(one, "input.voltage"), "117.2 V");
    t.diagnostic(`live ${Date.now() - began} ms after the server`);
    await asks;
    await shows(page.locator("#charts"), "Voltage, V");
    assert.ok(await page.evaluate(() => window.stays), "without being loaded anew");
    await page.context().close();
  });
}

test("a computer that slept does not show what was true before", async (t) => {
  const server = await units(["rack=smart1500lcd"]);
  t.after(() => server.stop());
  const page = await open(browser, server.url);
  const rack = card(page, "rack");
  await shows(value(rack, "input.voltage"), "117.2 V");
  await page.evaluate(() => { // an hour has passed, by one of the two clocks
    const { now } = Date;
    Date.now = () => now() + 3600_000;
    const connection = document.getElementById("connection");
    window.seen = "";
    new MutationObserver(() => {
      if (connection.dataset.is === "lost") {
        window.seen ||= document.querySelector("article").innerText;
      }
    }).observe(connection, { attributes: true });
  });
  const asleep = await seen(page);
  assert.match(asleep, /Not known/);
  assert.doesNotMatch(asleep, /\d V/);
  await shows(value(rack, "input.voltage"), "117.2 V");
  await shows(rack.locator(".read"), /Read [0-9] s ago/); // by the server's clock
  await page.context().close();
});
